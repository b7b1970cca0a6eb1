"""Tools shared by all packages: errors, progress, files, paths, processor cores."""
