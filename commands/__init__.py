"""The commands, a module for each; importing this package registers them in the order of ``--help``."""

# isort: off
from commands import index, search, duplicates, evaluate, similarity, train, status
from commands import watch, forget, relocate, export, vacuum

__all__ = [
    "duplicates",
    "evaluate",
    "export",
    "forget",
    "index",
    "relocate",
    "search",
    "similarity",
    "status",
    "train",
    "vacuum",
    "watch",
]
