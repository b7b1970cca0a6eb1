"""The catalogue: one SQLite file, and all SQL of the program."""
