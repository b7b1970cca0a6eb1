"""Queries to ranked hits, and rankings to metrics."""
