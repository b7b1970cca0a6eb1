"""TODO server/http."""
