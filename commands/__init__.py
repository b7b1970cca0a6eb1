"""The commands, a module for each; importing this package registers them in the order of ``--help``."""

# isort: off
from commands import index, search, evaluate, similarity, train, status, forget, relocate

__all__ = ["evaluate", "forget", "index", "relocate", "search", "similarity", "status", "train"]
