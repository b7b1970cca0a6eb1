"""Pixels and words to unit vectors in one space."""
