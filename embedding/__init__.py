"""Pixels and words to unit vectors in one space."""

__version__ = "0.1.0"
