"""The commands, a module for each; importing this package registers them in the order of ``--help``."""

# isort: off
from commands import index, search, duplicates, evaluate, similarity, train, status

__all__ = ["duplicates", "evaluate", "index", "search", "similarity", "status", "train"]
