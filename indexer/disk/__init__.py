"""TODO indexer/disk."""
