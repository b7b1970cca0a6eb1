"""Checks of a catalogue beyond SQLite's own, and their repairs.

SQLite keeps no checksums: a flipped bit in a page may leave a file that passes its checks and an invalid
date. This module uses plain ``sqlite3``, since the catalogue may be in any state.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from twobranch.indexer.catalog.connection import ACTIVE_MODEL
from twobranch.indexer.catalog.filters import MOST_STARS
from twobranch.indexer.catalog.migrations import LATEST, MIGRATIONS
from twobranch.indexer.catalog.reader import TABLES, VECTOR_KINDS, VectorKind
from twobranch.indexer.catalog.settings import CHOICES, REGIONS
from twobranch.indexer.update.changes import LAST_RUN
from twobranch.indexer.vectors.codec import has_dim, squared_length

UNIT = 1e-3  # the largest deviation of a vector's length from 1; encoders are exact to 1e-6
_BLOCK = 10_000
# The storage classes of SQLite that are valid for a declared type. File names may be bytes (catalog.OsText).
_STORED = {
    "INTEGER": ("integer",),
    "BOOLEAN": ("integer",),
    "REAL": ("real", "integer"),
    "TEXT": ("text", "blob"),
    "DATETIME": ("text",),
    "BLOB": ("blob",),
}
_SETTINGS = {CHOICES: dict, LAST_RUN: dict, REGIONS: bool}  # their types
_RANGES = {("marks", "rating"): (1, MOST_STARS)}  # the least and the most of numbers
_DATE = "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*"


@dataclass(frozen=True)
class Column:
    """A column in the schema."""

    name: str
    kind: str
    required: bool
    key: bool


@dataclass(frozen=True)
class Fault:
    """Rows of a table with the same fault."""

    table: str
    what: str
    count: int

    def __str__(self) -> str:
        return f"{self.count:,} {self.what} in {self.table}"


def fresh(version: int = LATEST) -> sqlite3.Connection:
    """Create an empty catalogue of a schema version, in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for migration in MIGRATIONS:
        if migration.version <= version:
            for statement in migration.statements:
                connection.execute(statement)
    return connection


def tables() -> list[str]:
    """Return the names of the catalogue's tables.

    A table comes after those that it refers to.
    """
    with closing(fresh()) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
        return [name for (name,) in rows if not name.startswith("sqlite_")]


def columns(connection: sqlite3.Connection, table: str) -> list[Column]:
    """Return the columns of one of ``tables()``."""
    rows = connection.execute(f"PRAGMA table_info({table})")
    return [Column(name, kind, bool(required), bool(key)) for _, name, kind, required, _, key in rows]


def schema_faults(connection: sqlite3.Connection, version: int = LATEST) -> list[str]:
    """Return the tables, indexes and triggers that differ from the schema.

    They are compared with those of a new catalogue of that version.
    """
    with closing(fresh(version)) as new:
        wanted, there = _objects(new), _objects(connection)
    return [name for name, sql in wanted.items() if there.get(name) != sql]


def likely_version(connection: sqlite3.Connection, said: int) -> int:
    """Return the schema version that the file resembles most.

    Tables, indexes and triggers are compared; even their names and statements may be damaged. If several
    versions are equally close, the result is ``said`` if it is one of them, else the latest.
    """
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
    """Decode text that may be damaged, as a ``text_factory``.

    Bytes that are not ASCII become lone surrogates.
    """
    return data.decode("ascii", "surrogateescape")


def _objects(connection: sqlite3.Connection) -> dict[str, str]:
    # SQLite appends a migration's columns to the CREATE TABLE text; `fresh` runs the same migrations.
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(sql.split()) for name, sql in rows if not name.startswith("sqlite_")}


# --- values -----------------------------------------------------------------------------------------


def value_faults(connection: sqlite3.Connection) -> list[Fault]:
    """Find invalid values, such as bad dates, and unreadable settings."""
    faults = [
        Fault(table, f"invalid values of {column.name}", count)
        for table, column, condition in _conditions(connection)
        if (count := _count(connection, table, condition))
    ]
    unreadable = _unreadable_settings(connection)
    return faults + [Fault("settings", "unreadable values", len(unreadable))] * bool(unreadable)


def mend_values(connection: sqlite3.Connection) -> tuple[int, int]:
    """Empty invalid values, or delete their rows if a value is required.

    Returns the numbers of emptied values and of deleted rows.
    """
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
    """Yield tables and columns with an SQL condition for invalid values."""
    connection.create_function("is_text", 1, _is_text, deterministic=True)
    for table in tables():
        for column in columns(connection, table):
            stored = ", ".join(f"'{kind}'" for kind in _STORED[column.kind])
            name = f'"{column.name}"'
            bad = f"typeof({name}) NOT IN ({stored})"
            if column.kind == "DATETIME":
                bad += f" OR {name} NOT GLOB '{_DATE}'"
            elif (table, column.name) in _RANGES:
                least, most = _RANGES[table, column.name]
                bad += f" OR {name} NOT BETWEEN {least} AND {most}"
            elif column.kind == "TEXT":
                bad += f" OR (typeof({name}) = 'text' AND NOT is_text(CAST({name} AS BLOB)))"
            yield table, column, f"{name} IS NOT NULL AND ({bad})"


def _is_text(value: bytes) -> bool:
    """Return True for UTF-8 text without NUL.

    No path can contain NUL, and the program never stores it.
    """
    try:
        return "\0" not in value.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _unreadable_settings(connection: sqlite3.Connection) -> list[str]:
    """Return the keys of settings whose value would make a command fail."""
    unreadable = []
    for key, value in connection.execute("SELECT key, value FROM settings"):
        try:
            if key == ACTIVE_MODEL:
                known = connection.execute("SELECT 1 FROM models WHERE id = ?", [int(value)]).fetchone()
                if known is None:
                    unreadable.append(key)
            elif key in _SETTINGS and not isinstance(json.loads(value), _SETTINGS[key]):
                unreadable.append(key)
        except (ValueError, TypeError, OverflowError):
            unreadable.append(key)
    return unreadable


def _count(connection: sqlite3.Connection, table: str, condition: str) -> int:
    ((count,),) = connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {condition}")
    return int(count)


# --- references -------------------------------------------------------------------------------------


def reference_faults(connection: sqlite3.Connection) -> list[Fault]:
    """Find rows that refer to missing rows."""
    counts = Counter(
        (table, parent) for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
    )
    return [Fault(table, f"rows without their {parent}", n) for (table, parent), n in counts.items()]


def mend_references(connection: sqlite3.Connection) -> tuple[int, int]:
    """Empty references to missing rows, or delete the rows that have them.

    It does the same as deleting the rows that they refer to. Returns the numbers of emptied references and of
    deleted rows. It works with ``PRAGMA foreign_keys`` on or off.
    """
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


def broken_vectors(connection: sqlite3.Connection) -> dict[VectorKind, list[int]]:
    """Find vectors of a wrong dimension, or not of length 1.

    The result is their ids by kind.
    """
    dims = dict(connection.execute("SELECT id, dim FROM models"))
    broken: dict[VectorKind, list[int]] = {kind: [] for kind in VECTOR_KINDS}
    for kind in VECTOR_KINDS:
        newest = 0
        query = f"SELECT id, model_id, vector FROM {TABLES[kind]} WHERE id > ? ORDER BY id LIMIT {_BLOCK}"
        while rows := connection.execute(query, [newest]).fetchall():
            newest = rows[-1][0]
            broken[kind] += [id_ for id_, model, vector in rows if not _is_unit(vector, dims.get(model))]
    return broken


def delete_vectors(connection: sqlite3.Connection, broken: Mapping[VectorKind, Sequence[int]]) -> None:
    """Delete vectors, so that the next `index` encodes them again."""
    for kind, ids in broken.items():
        connection.executemany(f"DELETE FROM {TABLES[kind]} WHERE id = ?", ((id_,) for id_ in ids))


def _is_unit(vector: bytes, dim: int | None) -> bool:
    return dim is not None and has_dim(vector, dim) and abs(squared_length(vector) - 1) < UNIT
