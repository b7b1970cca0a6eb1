"""TODO indexer/captionfiles."""
