"""Caption files of every format, as one corpus."""
