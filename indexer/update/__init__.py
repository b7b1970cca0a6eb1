"""TODO indexer/update."""
