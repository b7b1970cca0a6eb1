"""Photos that show the same."""
