"""TODO indexer/maintenance."""
