"""Recall@K and what explains it."""
