"""The catalogue's SQLite file: opening it and explaining its errors.

Without SQLAlchemy: searches open the file too, and must start fast.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from twobranch.common.atomic import sync_folder
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.migrations import LATEST, schema_version, upgrade

CATALOG = "catalog.sqlite"
ACTIVE_MODEL = "active_model"  # the key in `settings` of the id of the model that searches use


def open_database(folder: Path, *, create: bool = False) -> Path:
    """Return the path of a library's catalogue, migrated to the current schema.

    ``create`` makes the folder and an empty catalogue where there is none. Raises ``LibraryError``
    when it is missing, damaged, not a catalogue, or newer than this program.
    """
    path = folder.absolute() / CATALOG
    try:
        if not path.is_file():
            if not create:
                raise LibraryError(f"{folder}: no {CATALOG} in it; `index PATH` creates a library")
            folder.mkdir(parents=True, exist_ok=True)
            path.touch()
            sync_folder(folder)
            sync_folder(folder.parent)
        with closing(connect(path)) as connection:
            version = schema_version(connection)
        if version != LATEST:
            upgrade(path)
    except OSError as error:
        raise LibraryError(f"{path}: cannot be opened ({error.strerror})") from None
    except sqlite3.Error as error:
        raise library_error(path, error) from None
    return path


def connect(path: Path, *, write: bool = True) -> sqlite3.Connection:
    """Open a connection in autocommit mode, for use by any thread.

    It is read-only where the file is, and without ``write``: then no files appear beside the catalogue that
    were not there before. Raises ``sqlite3.Error`` for a file that is no catalogue, or whose schema is
    damaged.
    """
    mode = "rw"
    if not (write and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        # Without a -wal file no process is writing; SQLite could not create one to find that out.
        idle = not path.with_name(f"{path.name}-wal").exists()
        mode = "ro&immutable=1" if idle else "ro"
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=30, isolation_level=None, check_same_thread=False
    )
    try:
        _read_schema(connection)
    except BaseException:
        connection.close()
        raise
    connection.execute("PRAGMA foreign_keys = ON")
    # Every commit reaches the disk: 4 ms each on an SSD, and `index` makes about one a second.
    # With NORMAL a power cut may undo the last 16 MB of commits (and keep an index file made of them).
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # without it macOS leaves commits in the memory of the disk
    return connection


def _read_schema(connection: sqlite3.Connection) -> None:
    """Read the schema and check that it is text.

    SQLite reads it once a connection. In its message it quotes the place it cannot read. Where a flipped bit
    made that invalid UTF-8, Python raises ``UnicodeDecodeError`` in place of the message, at the first
    statement.
    """
    connection.text_factory = bytes
    try:
        for row in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"):
            for text in row:
                if isinstance(text, bytes):
                    text.decode()
    except UnicodeDecodeError:
        raise sqlite3.DatabaseError("malformed database schema, with text that is not UTF-8") from None
    connection.text_factory = str


_SHARED_MEMORY = 32 << 10  # bytes that SQLite takes at a time for a file in WAL mode

_ADVICE = {
    "disk is full": "free some space and run the command again",
    "readonly database": "the library is read-only; make its folder writable, or name another with --library",
    "unable to open": "check the permissions of the library folder",
    "database is locked": "another program is writing to it; try again when it has finished",
    # another program has stopped in the middle of taking or leaving a lock
    "locking protocol": "another program is writing to it; try again when it has finished",
    "disk I/O error": "check the disk, or restore the library folder from a backup",
    "malformed": "damaged; `doctor --repair` saves what can be read",
    "not a database": "damaged, or not a catalogue; `doctor --repair` saves what can be read",
    # a flipped bit has changed the schema version, so that the wrong migrations ran
    "already exists": "damaged; `doctor --repair` saves what can be read",
    "duplicate column": "damaged; `doctor --repair` saves what can be read",
    "Could not decode": "damaged; `doctor --repair` saves what can be read",
}


def has_advice(error: BaseException) -> bool:
    """Return True for an error that the library's state explains.

    Other errors of SQLite are mistakes of the program.
    """
    return _advice(error) is not None


def library_error(path: Path, error: BaseException) -> LibraryError:
    """Return an error of SQLite as a ``LibraryError`` with advice."""
    if "disk I/O error" in str(error) and _is_full(path.parent):  # no room for a -shm file
        return LibraryError(f"{path}: the disk is full; {_ADVICE['disk is full']}")
    return LibraryError(f"{path}: {error}; {_advice(error) or '`doctor` says what is wrong'}")


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _SHARED_MEMORY
    except OSError:
        return False


def _advice(error: BaseException) -> str | None:
    return next((advice for text, advice in _ADVICE.items() if text in str(error)), None)
