"""Finding the library: the nearest ``.twobranch`` folder, like git's ``.git``."""

from __future__ import annotations

import os
from pathlib import Path

from twobranch.common.errors import LibraryError
from twobranch.common.paths import LIBRARY, expanded, is_file, is_folder, is_ours
from twobranch.indexer.catalog.connection import CATALOG

VARIABLE = "TWOBRANCH_LIBRARY"


def find_library(explicit: Path | None = None) -> Path:
    """Return the library folder to use.

    That is ``explicit``, else the one of the environment variable, else the nearest. Raises ``LibraryError``
    when there is none, naming the command that creates one, and when the nearest one belongs to another user.
    """
    named = _named(explicit)
    if named is not None:
        if not named.is_dir():
            raise LibraryError(f"{named}: no such library; `--library {named} index PATH` creates it")
        return named
    nearest = _nearest()
    if nearest is None:
        raise LibraryError(f"no {LIBRARY} folder in {Path.cwd()} or above it; `index PATH` creates one here")
    return nearest


def library_for_indexing(explicit: Path | None = None) -> Path:
    """The library folder that ``index`` writes to; it need not exist yet.

    Raises ``LibraryError`` for the nearest one when it is another user's.
    """
    return _named(explicit) or _nearest() or Path.cwd() / LIBRARY


def _named(explicit: Path | None) -> Path | None:
    """Return the library of the option or the variable.

    The folder around a library stands for it, unless it is a library itself.
    """
    name = explicit if explicit is not None else os.environ.get(VARIABLE) or None
    if name is None:
        return None
    folder = expanded(name)
    within = folder / LIBRARY
    return within if is_folder(within) and not is_file(folder / CATALOG) else folder


def _nearest() -> Path | None:
    """Return the nearest library, which must be the caller's own.

    As with git's ``safe.directory``. Anyone who may write above the current folder could put a library there,
    and its catalogue says which folders an `index` reads. To name another user's library is to trust it.
    """
    here = Path.cwd()
    nearest = next((path / LIBRARY for path in (here, *here.parents) if (path / LIBRARY).is_dir()), None)
    if nearest is not None and not is_ours(nearest):
        raise LibraryError(
            f"{nearest}: belongs to another user; if you trust it, name it with --library or {VARIABLE}"
        )
    return nearest
