"""Libraries whose photos lie elsewhere.

A search in a folder of such photos finds its library here. The cache folder has a file for each, which holds
the library's path. The roots are read from its catalogue, so an entry cannot be out of date: a library that
is gone, or that has forgotten a folder, is not found for it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from twobranch.common.atomic import replacing
from twobranch.common.paths import LIBRARY, cache_folder, is_ours
from twobranch.indexer.catalog.connection import CATALOG, connect
from twobranch.indexer.disk.names import as_listed


def remember_library(library: Path) -> None:
    """Note a library in the cache folder, if it holds folders elsewhere.

    In folders below its own it is found upwards. A cache folder that cannot be written is no error: the
    library must then be named in those folders.
    """
    library = library.resolve()
    if library.name == LIBRARY and all(root.is_relative_to(library.parent) for root in _roots(library)):
        return
    path = os.fsencode(library)
    entry = cache_folder("libraries") / hashlib.sha256(path).hexdigest()[:16]
    with suppress(OSError):
        if entry.is_file() and entry.read_bytes() == path:
            return
        entry.parent.mkdir(parents=True, exist_ok=True)
        with replacing(entry, durable=False) as partial:
            partial.write_bytes(path)


def libraries_holding(folder: Path) -> list[Path]:
    """Return the known libraries that hold a folder.

    They are sorted by path, and have a root at or above the folder. Those of other users are left out: each
    would have to be named to be trusted.
    """
    folder = as_listed(folder)
    known: set[Path] = set()
    with suppress(OSError):  # there is no folder of entries
        for entry in cache_folder("libraries").iterdir():
            with suppress(OSError, ValueError):  # cannot be read, or holds no path
                known.add(Path(os.fsdecode(entry.read_bytes())))
    return sorted(library for library in known if any(map(folder.is_relative_to, _own_roots(library))))


def _own_roots(library: Path) -> list[Path]:
    """Return the roots of a library; none for one of another user."""
    return _roots(library) if library.is_absolute() and is_ours(library) else []


def _roots(library: Path) -> list[Path]:
    """Return the roots of a library. There are none if its catalogue cannot be read."""
    try:
        with closing(connect(library / CATALOG, write=False)) as connection:
            return [Path(os.fsdecode(path)) for (path,) in connection.execute("SELECT path FROM roots")]
    except (OSError, ValueError, sqlite3.Error):
        return []
