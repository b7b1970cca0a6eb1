"""Encoders from photos and sentences to unit vectors in one space."""
