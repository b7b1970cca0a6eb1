"""Freeing disk space.

It is taken by the pages of deleted rows in SQLite, and by unused index files and thumbnails.
"""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from twobranch.common.errors import UserError
from twobranch.common.leftovers import LEFT_OVERS
from twobranch.indexer.catalog.connection import connect, library_error, open_database
from twobranch.indexer.catalog.fulltext import compact_words
from twobranch.indexer.catalog.lock import LOCK, indexing_lock
from twobranch.indexer.catalog.reader import VECTOR_KINDS, CatalogReader
from twobranch.indexer.catalog.thumbnails import disk_use, remove_orphans
from twobranch.indexer.vectors.index import LARGE, kinds_with_index
from twobranch.indexer.vectors.ivf import load_lists

# VACUUM writes a second copy, which goes into the write-ahead log before it goes into the file.
_COPIES = 2


@dataclass(frozen=True)
class Freed:
    """The result of `vacuum`. Sizes are in bytes."""

    before: int  # of the library folder
    after: int
    removed: tuple[str, ...]  # names of index files

    @property
    def bytes(self) -> int:
        """The number of bytes freed."""
        return self.before - self.after


def vacuum(library: Path) -> Freed:
    """Remove unused index files and thumbnails, and compact the catalogue.

    The vectors of all models in the catalogue stay. Raises ``UserError`` if the disk has no room for the copy
    that SQLite makes, and ``LibraryError`` if another process holds the library.
    """
    path = open_database(library)
    with indexing_lock(library, "vacuum"):
        before = _size(library)
        removed = []
        for file in _unused(library):
            file.unlink(missing_ok=True)  # a search may have renamed a file that it was writing
            removed.append(file.name)
        with closing(CatalogReader.open(library)) as reader:
            remove_orphans(reader)
        try:
            with closing(connect(path)) as connection:
                _check_room(library, connection)
                compact_words(connection)
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise library_error(path, error) from None
    return Freed(before, _size(library), tuple(removed))


def _check_room(library: Path, connection: sqlite3.Connection) -> None:
    pages, unused, page = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    needed, free = _COPIES * (pages - unused) * page, shutil.disk_usage(library).free
    if needed > free:
        raise UserError(
            f"{library}: compacting needs {needed / 1e6:,.0f} MB for a while, and {free / 1e6:,.0f} MB are "
            "free; free some space and run `vacuum` again (unused index files are removed already)"
        )


def _unused(library: Path) -> list[Path]:
    """Return unused index files and leftovers of killed processes.

    An index file is unused if the next search would not open it.
    """
    with closing(CatalogReader.open(library)) as catalog:
        model = catalog.active_model()
        used: set[str] = set()
        for kind in () if model is None else kinds_with_index(catalog, model.id):
            assert model is not None
            stem = f"{kind}-{model.id}"
            large = catalog.count_vectors(kind, model.id) >= LARGE
            if large and load_lists(catalog, kind, model.id, model.dim) is not None:
                used |= {f"{stem}.ivf", f"{stem}.ivf.json", f"{stem}.tail"}
            else:
                used.add(f"{stem}.vectors")
    patterns = (*(f"{kind}-*" for kind in VECTOR_KINDS), LEFT_OVERS)
    files = {file for pattern in patterns for file in library.glob(pattern)}
    return sorted(file for file in files if file.is_file() and file.name not in used)


def _size(library: Path) -> int:
    """Return the size of the library folder in bytes.

    The lock is left out, since it is there only for the moment.
    """
    total = 0
    for file in library.iterdir():
        with suppress(FileNotFoundError):  # a temporary file of a search
            status = file.stat()
            if stat.S_ISREG(status.st_mode) and not file.name.startswith(LOCK):
                total += status.st_size
    return total + disk_use(library)
