"""Finding the library: the nearest ``.twobranch`` folder, like git's ``.git``.

Where there is none, it is the known library that holds the current folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from twobranch.common.errors import LibraryError
from twobranch.common.paths import LIBRARY, expanded, is_file, is_folder, is_ours
from twobranch.indexer.catalog.connection import CATALOG

VARIABLE = "TWOBRANCH_LIBRARY"


def find_library(explicit: Path | None = None) -> Path:
    """Return the library folder to use.

    That is ``explicit``, else the one of the environment variable, else the nearest, else the known one that
    holds the current folder. A folder that is named may be the one that has the ``.twobranch`` folder. Raises
    ``LibraryError`` when there is none, naming the command that creates one, when the nearest one belongs to
    another user, and when several known ones hold the folder.
    """
    named = _named(explicit)
    if named is not None:
        if not named.is_dir():
            raise LibraryError(f"{named}: no such library; `--library {named} index PATH` creates it")
        return named
    found = _nearest() or _elsewhere()
    if found is None:
        raise LibraryError(f"no {LIBRARY} folder in {Path.cwd()} or above it; `index PATH` creates one here")
    return found


def library_for_indexing(explicit: Path | None = None) -> Path:
    """The library folder that ``index`` writes to; it need not exist yet.

    Raises ``LibraryError`` for the nearest one when it is another user's, and when several known ones hold
    the current folder.
    """
    return _named(explicit) or _nearest() or _elsewhere() or Path.cwd() / LIBRARY


def library_elsewhere(explicit: Path | None = None) -> Path | None:
    """Return the library that holds the current folder, if commands use it.

    They do if none is named or found upwards. Else, and without such a library, the result is None. Raises
    ``LibraryError`` like ``find_library``.
    """
    return None if _named(explicit) or _nearest() else _elsewhere()


def library_above(explicit: Path | None = None) -> Path | None:
    """Return the nearest library if it is used and lies further up."""
    nearest = None if _named(explicit) else _nearest()
    return None if nearest is None or nearest.parent == Path.cwd() else nearest


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


def _elsewhere() -> Path | None:
    """Return the known library that holds the current folder. Raises ``LibraryError`` for several."""
    from twobranch.indexer.catalog.known_libraries import libraries_holding

    here = Path.cwd()
    found = libraries_holding(here)
    if len(found) > 1:
        several = " and ".join(map(str, found))
        raise LibraryError(f"{here}: lies in folders of {several}; name one of them with --library")
    return found[0] if found else None


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
