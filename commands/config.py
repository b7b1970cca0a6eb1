"""``config.toml`` in the library folder: the user's defaults for options.

A library may belong to another user or may have come with the photos. So its configuration is read only if
the current user owns it (compare git's ``safe.directory``), and sets only options declared with ``SETTABLE``.
None of these names a file to write or open, an address, or a token.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_type_hints

import typer

from twobranch.common.errors import LibraryError, UserError
from twobranch.common.paths import is_ours
from twobranch.common.progress import one_line

NAME = "config.toml"


class _Settable:
    """Marks an option that config.toml may set, in its ``Annotated``."""


SETTABLE = _Settable()


def config_file(library: Path | None) -> Path:
    """Return the path of config.toml in the chosen library. The file need not exist."""
    from twobranch.indexer.catalog.library import library_for_indexing

    return library_for_indexing(library) / NAME


def has_config(library: Path | None) -> bool:
    """Return True if the chosen library has a config.toml.

    False where the library may not be read: the command itself will report that.
    """
    try:
        return config_file(library).is_file()
    except (OSError, LibraryError):
        return False


def read_defaults(context: typer.Context, library: Path | None) -> dict[str, dict[str, Any]] | None:
    """Read the default options in the library's config.toml.

    Returns values by command and parameter; None without such a file. A table has the name of a command, a
    key that of a long option without its dashes. Raises ``UserError`` naming file and key for an unknown
    option, an invalid value, or an option that only the command line may set. A file owned by another user is
    ignored with a warning.
    """
    if not has_config(library):
        return None
    path = config_file(library)
    if not (is_ours(path.parent) and is_ours(path)):
        print(one_line(f"warning: {path}: belongs to another user and is ignored"), file=sys.stderr)
        return None
    commands: dict[str, Any] = context.command.commands  # type: ignore[attr-defined]
    defaults: dict[str, dict[str, Any]] = {}
    for table, options in _read(path).items():
        if table not in commands or not isinstance(options, dict):
            raise UserError(
                f"{path}: [{table}] is not the table of a command; those are {', '.join(commands)}"
            )
        known = {
            name.lstrip("-"): parameter
            for parameter in commands[table].params
            for name in parameter.opts
            if name.startswith("--")
        }
        settable = _settable(commands[table])
        defaults[table] = {}
        for key, value in options.items():
            parameter = known.get(key.replace("_", "-"))
            if parameter is None or key == "help":
                names = ", ".join(name for name, one in known.items() if one.name in settable) or "none"
                raise UserError(f"{path}: `{table}` has no option {key!r}; keys in [{table}] are {names}")
            if parameter.name not in settable:
                option = f"--{key.replace('_', '-')}"
                raise UserError(
                    f"{path}: {table}.{key} is not for a configuration file; give {option} to the command"
                )
            _check(context, path, f"{table}.{key}", parameter, value)
            defaults[table][parameter.name] = value
    return defaults


def _settable(command: Any) -> set[str]:
    """Return the names of a command's parameters declared with ``SETTABLE``."""
    hints = get_type_hints(command.callback, include_extras=True)
    return {name for name, hint in hints.items() if SETTABLE in getattr(hint, "__metadata__", ())}


def _read(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: not a TOML file: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); change that, or delete it") from None


def _check(context: typer.Context, path: Path, key: str, parameter: Any, value: Any) -> None:
    """Raise ``UserError`` for a value that the option would refuse."""
    values = value if parameter.multiple else [value]
    if not isinstance(values, list):
        raise UserError(f"{path}: {key} takes a list, such as [{value!r}]")
    for one in values:
        if parameter.is_flag and not isinstance(one, bool):
            raise UserError(f"{path}: {key} is true or false, not {one!r}")
        if not isinstance(one, (str, int, float)):
            raise UserError(f"{path}: {key} takes a text or a number, not {one!r}")
        try:
            parameter.type(one, parameter, context)
        except typer.BadParameter as error:
            raise UserError(f"{path}: {key}: {error.message}") from None
        # A type expects text from the command line; it raises other errors for 1 as a path, or infinity.
        except (TypeError, ValueError, OverflowError):
            raise UserError(f"{path}: {key}: {one!r} is not a value for it") from None
