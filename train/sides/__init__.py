"""TODO train/sides."""
