"""Captioned photos to a trained model folder."""
