"""TODO train/output."""
