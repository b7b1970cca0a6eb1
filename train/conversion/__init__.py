"""Conversion of models that PyTorch is needed for: those of transformers and of open_clip."""
