"""The entry point: from command-line arguments to a command."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from twobranch.commands import register
from twobranch.commands.config import has_config
from twobranch.commands.shared import app


def _globals_first(arguments: Sequence[str]) -> list[str]:
    """Move --library and --quiet to the front of the arguments. So they may stand anywhere."""
    first: list[str] = []
    rest: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        if argument == "--":
            return [*first, *rest, argument, *remaining]
        if argument == "--library" and remaining:
            first += [argument, remaining.pop(0)]
        elif argument in ("--quiet", "-q") or argument.startswith("--library="):
            first.append(argument)
        else:
            rest.append(argument)
    return [*first, *rest]


def _only_command(arguments: Sequence[str]) -> str | None:
    """Return the requested command, or None if all must be registered.

    All are needed when no command is given, for a config.toml (which may set options of any), and for shell
    completion.
    """
    library = name = None
    remaining = list(arguments)
    while remaining and name is None:
        argument = remaining.pop(0)
        if argument == "--library" and remaining:
            library = Path(remaining.pop(0))
        elif argument.startswith("--library="):
            library = Path(argument.removeprefix("--library="))
        elif not argument.startswith("-"):
            name = argument
    completing = any(variable.endswith("_COMPLETE") for variable in os.environ)
    return None if completing or has_config(library) else name


def _restart_in_utf_8() -> None:
    """Start again in UTF-8 mode if names are read as ASCII.

    Python reads them so in the C locale with that mode switched off. Other letters of an argument are lost:
    ``--path`` lets everything through, and a photo whose name has them cannot be opened.
    """
    if sys.getfilesystemencoding() == "ascii" and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def main() -> None:
    """Run the console command ``twobranch``."""
    _restart_in_utf_8()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names may not be UTF-8, and the terminal may not be able to show them.
            utf_8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if utf_8 else "backslashreplace")
    arguments = _globals_first(sys.argv[1:])
    register(_only_command(arguments))
    app(arguments)
