"""TODO retrieval/evaluation."""
