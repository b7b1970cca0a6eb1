"""TODO indexer/catalog."""
