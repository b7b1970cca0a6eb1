"""What lies under the two branches while they are trained."""
