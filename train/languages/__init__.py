"""A second text tower, for other languages than English, into the space of a finished model."""
