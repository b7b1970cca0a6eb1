"""Inputs of the two branches during training: photos and sentences."""
