"""Conversion of models of transformers and open_clip, with PyTorch."""
