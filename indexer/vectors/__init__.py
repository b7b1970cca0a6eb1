"""TODO indexer/vectors."""
