"""Photos on disk: folders, files, EXIF, keywords."""
