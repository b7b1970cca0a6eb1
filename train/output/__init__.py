"""Writing a trained network as a model folder."""
