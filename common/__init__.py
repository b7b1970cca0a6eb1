"""What every other package may use: errors, progress, files, paths."""
