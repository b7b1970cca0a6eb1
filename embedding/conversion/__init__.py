"""Conversion of other projects' models to model folders, without PyTorch."""
