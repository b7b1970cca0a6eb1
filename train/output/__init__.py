"""A trained network to a model folder."""
