"""The commands, a module for each, which registers what it defines when it is imported."""

from __future__ import annotations

from importlib import import_module

# By name, in the order of --help; `eval_` and `models` live in modules that are called otherwise.
MODULES = {
    "index": "index",
    "search": "search",
    "duplicates": "duplicates",
    "eval": "evaluate",
    "similarity": "similarity",
    "train": "train",
    "status": "status",
    "models": "status",
    "serve": "serve",
    "watch": "watch",
    "forget": "forget",
    "relocate": "relocate",
    "export": "export",
    "vacuum": "vacuum",
    "doctor": "doctor",
}


def register(name: str | None = None) -> None:
    """Import the module of one command, or of all. Each option costs a little time to declare, and a search
    should not wait for those of other commands."""
    for module in dict.fromkeys([MODULES[name]] if name in MODULES else MODULES.values()):
        import_module(f"{__name__}.{module}")
