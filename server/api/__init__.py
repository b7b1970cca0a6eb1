"""TODO server/api."""
