"""Small write transactions without SQLAlchemy, for marks, albums and saved searches.

They take a millisecond, and neither `rate` nor a server should wait for the import of SQLAlchemy. They do not
take the lock of the library: a person may rate photos while `index` runs. Its transactions are short too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from twobranch.indexer.catalog.connection import connect, library_error, open_database
from twobranch.indexer.catalog.filters import FUNCTIONS

Transaction = sqlite3.Connection  # inside ``writing``


@contextmanager
def writing(library: Path) -> Iterator[Transaction]:
    """Open the catalogue for one write transaction. An exception undoes it.

    Raises ``LibraryError``.
    """
    path = open_database(library)
    try:
        with closing(connect(path)) as connection:
            for name, (n_arguments, function) in FUNCTIONS.items():
                connection.create_function(name, n_arguments, function, deterministic=True)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                # Closing is not enough: a statement that the traceback of an error still refers to would
                # keep the transaction open, and all other programs waiting, until it is collected.
                connection.rollback()
    except sqlite3.DatabaseError as error:
        raise library_error(path, error) from None


def now() -> str:
    """Return the current time in UTC, as SQLAlchemy stores it."""
    return datetime.now(timezone.utc).replace(tzinfo=None).isoformat(" ", "microseconds")
