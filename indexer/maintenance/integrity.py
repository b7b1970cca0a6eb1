"""What must hold in a catalogue beyond what SQLite itself checks, and how what does not is mended.

SQLite keeps no checksums: a flipped bit in a page may leave a file that it finds nothing wrong with, and a
date that is none. Plain ``sqlite3`` throughout: what is looked at here may be in any state.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from twobranch.indexer.catalog.connection import ACTIVE_MODEL
from twobranch.indexer.catalog.migrations import LATEST, MIGRATIONS
from twobranch.indexer.catalog.reader import GALLERIES, TABLES, Gallery
from twobranch.indexer.catalog.settings import CHOICES
from twobranch.indexer.update.changes import LAST_RUN
from twobranch.indexer.vectors.codec import has_dim, squared_length

UNIT = 1e-3  # how far from 1 the length of a vector may be; encoders give it to 1e-6
_BLOCK = 10_000
# What SQLite may have stored in a column that is declared so. Names of files may be bytes (catalog.OsText).
_STORED = {
    "INTEGER": ("integer",),
    "BOOLEAN": ("integer",),
    "REAL": ("real", "integer"),
    "TEXT": ("text", "blob"),
    "DATETIME": ("text",),
    "BLOB": ("blob",),
}
_DATE = "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*"


@dataclass(frozen=True)
class Column:
    """A column as the schema declares it."""

    name: str
    kind: str
    required: bool
    key: bool


@dataclass(frozen=True)
class Fault:
    """Rows of a table in which something does not hold."""

    table: str
    what: str
    count: int

    def __str__(self) -> str:
        return f"{self.count:,} {self.what} in {self.table}"


def fresh(version: int = LATEST) -> sqlite3.Connection:
    """An empty catalogue of a schema version, in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for migration in MIGRATIONS:
        if migration.version <= version:
            for statement in migration.statements:
                connection.execute(statement)
    return connection


def tables() -> list[str]:
    """The names of the catalogue's tables; those that others refer to come first."""
    with closing(fresh()) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
        return [name for (name,) in rows if not name.startswith("sqlite_")]


def columns(connection: sqlite3.Connection, table: str) -> list[Column]:
    """The columns of one of ``tables()``."""
    rows = connection.execute(f"PRAGMA table_info({table})")
    return [Column(name, kind, bool(required), bool(key)) for _, name, kind, required, _, key in rows]


def schema_faults(connection: sqlite3.Connection, version: int = LATEST) -> list[str]:
    """The tables, indexes and triggers that are not as a new catalogue of that schema has them."""
    with closing(fresh(version)) as new:
        wanted, there = _objects(new), _objects(connection)
    return [name for name, sql in wanted.items() if there.get(name) != sql]


def likely_version(connection: sqlite3.Connection, said: int) -> int:
    """The schema version that the tables, indexes and triggers of a file are most like; ``said``, where it is
    one of several. Even names and statements may be damaged."""
    factory = connection.text_factory
    connection.text_factory = any_text
    try:
        there = _objects(connection)
    finally:
        connection.text_factory = factory
    differing = {}
    for version in range(LATEST + 1):
        with closing(fresh(version)) as new:
            differing[version] = len(there.items() ^ _objects(new).items())
    fewest = min(differing.values())
    likely = [version for version, count in differing.items() if count == fewest]
    return said if said in likely else likely[-1]


def any_text(data: bytes) -> str:
    """A ``text_factory`` for text that may be damaged: what is no ASCII becomes lone surrogates."""
    return data.decode("ascii", "surrogateescape")


def _objects(connection: sqlite3.Connection) -> dict[str, str]:
    # A migration adds columns to what CREATE TABLE said, so both have gone the same way or a shorter one.
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(sql.split()) for name, sql in rows if not name.startswith("sqlite_")}


# --- values -----------------------------------------------------------------------------------------


def value_faults(connection: sqlite3.Connection) -> list[Fault]:
    """Values that their column cannot have, such as dates that are none, and settings that cannot be read."""
    faults = [
        Fault(table, f"values of {column.name} that are none", count)
        for table, column, condition in _conditions(connection)
        if (count := _count(connection, table, condition))
    ]
    unreadable = _unreadable_settings(connection)
    return faults + [Fault("settings", "unreadable values", len(unreadable))] * bool(unreadable)


def mend_values(connection: sqlite3.Connection) -> tuple[int, int]:
    """Empties such values, or deletes their rows where a value is needed; how many of each."""
    emptied = deleted = 0
    for table, column, condition in _conditions(connection):
        if column.required or column.key:
            deleted += connection.execute(f"DELETE FROM {table} WHERE {condition}").rowcount
        else:
            statement = f"UPDATE {table} SET {column.name} = NULL WHERE {condition}"
            emptied += connection.execute(statement).rowcount
    for key in _unreadable_settings(connection):
        deleted += connection.execute("DELETE FROM settings WHERE key = ?", [key]).rowcount
    return emptied, deleted


def _conditions(connection: sqlite3.Connection) -> Iterator[tuple[str, Column, str]]:
    """For each column the SQL that is true of values it cannot have."""
    connection.create_function("is_text", 1, _is_text, deterministic=True)
    for table in tables():
        for column in columns(connection, table):
            stored = ", ".join(f"'{kind}'" for kind in _STORED[column.kind])
            name = f'"{column.name}"'
            bad = f"typeof({name}) NOT IN ({stored})"
            if column.kind == "DATETIME":
                bad += f" OR {name} NOT GLOB '{_DATE}'"
            elif column.kind == "TEXT":
                bad += f" OR (typeof({name}) = 'text' AND NOT is_text(CAST({name} AS BLOB)))"
            yield table, column, f"{name} IS NOT NULL AND ({bad})"


def _is_text(value: bytes) -> bool:
    """Whether it is UTF-8, and without NUL, which nothing puts into a catalogue and no path may hold."""
    try:
        return "\0" not in value.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _unreadable_settings(connection: sqlite3.Connection) -> list[str]:
    """The keys of settings whose value would stop a command."""
    unreadable = []
    for key, value in connection.execute("SELECT key, value FROM settings"):
        try:
            if key == ACTIVE_MODEL:
                known = connection.execute("SELECT 1 FROM models WHERE id = ?", [int(value)]).fetchone()
                if known is None:
                    unreadable.append(key)
            elif key in (CHOICES, LAST_RUN) and not isinstance(json.loads(value), dict):
                unreadable.append(key)
        except (ValueError, TypeError, OverflowError):
            unreadable.append(key)
    return unreadable


def _count(connection: sqlite3.Connection, table: str, condition: str) -> int:
    ((count,),) = connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {condition}")
    return int(count)


# --- references -------------------------------------------------------------------------------------


def reference_faults(connection: sqlite3.Connection) -> list[Fault]:
    """Rows that refer to rows which are not there."""
    counts = Counter(
        (table, parent) for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
    )
    return [Fault(table, f"rows without their {parent}", n) for (table, parent), n in counts.items()]


def mend_references(connection: sqlite3.Connection) -> tuple[int, int]:
    """Empties such references, or deletes their rows, as deleting what they refer to would have done; how
    many of each. With ``PRAGMA foreign_keys`` on or off."""
    emptied = deleted = 0
    while faults := connection.execute("PRAGMA foreign_key_check").fetchall():
        for table, rowid, _, number in faults:
            keys = connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
            key = next(key for key in keys if key[0] == number)
            if key[6] == "SET NULL":
                statement = f"UPDATE {table} SET {key[3]} = NULL WHERE rowid = ?"
                emptied += connection.execute(statement, [rowid]).rowcount
            else:
                deleted += connection.execute(f"DELETE FROM {table} WHERE rowid = ?", [rowid]).rowcount
    return emptied, deleted


# --- vectors ----------------------------------------------------------------------------------------


def broken_vectors(connection: sqlite3.Connection) -> dict[Gallery, list[int]]:
    """The ids of vectors that are not of their model's dimension, or not of length 1."""
    dims = dict(connection.execute("SELECT id, dim FROM models"))
    broken: dict[Gallery, list[int]] = {kind: [] for kind in GALLERIES}
    for kind in GALLERIES:
        newest = 0
        query = f"SELECT id, model_id, vector FROM {TABLES[kind]} WHERE id > ? ORDER BY id LIMIT {_BLOCK}"
        while rows := connection.execute(query, [newest]).fetchall():
            newest = rows[-1][0]
            broken[kind] += [id_ for id_, model, vector in rows if not _is_unit(vector, dims.get(model))]
    return broken


def delete_vectors(connection: sqlite3.Connection, broken: Mapping[Gallery, Sequence[int]]) -> None:
    """Removes vectors, so that the next `index` encodes what they stood for again."""
    for kind, ids in broken.items():
        connection.executemany(f"DELETE FROM {TABLES[kind]} WHERE id = ?", ((id_,) for id_ in ids))


def _is_unit(vector: bytes, dim: int | None) -> bool:
    return dim is not None and has_dim(vector, dim) and abs(squared_length(vector) - 1) < UNIT
