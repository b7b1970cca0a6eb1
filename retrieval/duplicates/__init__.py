"""TODO retrieval/duplicates."""
