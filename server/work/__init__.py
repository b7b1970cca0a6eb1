"""TODO server/work."""
