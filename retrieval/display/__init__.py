"""TODO retrieval/display."""
