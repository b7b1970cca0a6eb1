"""Near-duplicate photos."""
