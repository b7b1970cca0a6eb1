"""Training of the branch that makes a photo's cells."""
