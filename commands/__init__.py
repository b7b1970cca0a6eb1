"""The commands of the command line, one module each.

A module registers its command when it is imported.
"""

from __future__ import annotations

from importlib import import_module

# Modules by command, in the order of --help.
MODULES = {
    "index": "index",
    "search": "search",
    "rate": "rate",
    "favourite": "favourite",
    "duplicates": "duplicates",
    "eval": "evaluate",
    "similarity": "similarity",
    "where": "where",
    "train": "train",
    "status": "status",
    "serve": "serve",
    "mcp": "mcp",
    "watch": "watch",
    "forget": "forget",
    "relocate": "relocate",
    "export": "export",
    "vacuum": "vacuum",
    "doctor": "doctor",
    # These have commands of their own, and typer lists such last.
    "album": "album",
    "searches": "searches",
    "xmp": "xmp",
    "models": "models",
}


def register(name: str | None = None) -> None:
    """Import the module of one command, or of all.

    Declaring an option costs a little time, and a search should not wait for the options of other commands.
    """
    for module in dict.fromkeys([MODULES[name]] if name in MODULES else MODULES.values()):
        import_module(f"{__name__}.{module}")
