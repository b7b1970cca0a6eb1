"""A second text tower for other languages than English.

It maps texts into the space of a finished model.
"""
