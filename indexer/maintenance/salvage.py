"""A damaged catalogue, copied row by row into a new one; what cannot be read is left out and counted.

SQLite reads a table by a tree of pages. Where a page is damaged the rows below it are lost, and those beside
it are not: each table is read in ranges of row ids, and a range that fails is halved until the damaged rows
are alone. A damaged first page is replaced by that of a new catalogue as far as that goes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from twobranch.common.atomic import replacing, sync, sync_folder
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.connection import library_error
from twobranch.indexer.catalog.migrations import check_not_newer, schema_version, upgrade
from twobranch.indexer.catalog.vector_states import note_states
from twobranch.indexer.catalog.write_ahead import fold_log
from twobranch.indexer.maintenance.integrity import (
    any_text,
    columns,
    fresh,
    likely_version,
    mend_references,
    mend_values,
    schema_faults,
    tables,
)

_PAGE = 16384  # of catalogues that this program makes (indexer.catalog.migrations)
_HEADER = 100
_PAGE_COUNT = 28  # where it is in the header
_LONGEST = 4  # times as long a cut file becomes again at most; a damaged header may say anything
_ADDED = 64  # pages, to a file that was cut; the first ones of most tables come before any rows
_INTERIOR = 0x05  # the kind of a page that points at others
_NEEDED = {"roots", "images", "image_vectors"}
# Where nothing says how high the ids go. Trying as many that are not there takes a few seconds.
_HIGHEST = 1 << 18
_HIGHEST_KNOWN = 1 << 30  # what says more is damaged itself
_ROWS = 1000  # that are in memory together
_PROBED = 64  # from so many ids on a range is probed before it is halved, a page holding fewer or few more
_PROBES = 8
# Tables that are made anew from the others, or copied without a word.
_STATES = "past_vector_states"
_DERIVED = ("stale_words", "vector_states", _STATES)
_ALIKE = 0.8  # of the text of a table, an index or a trigger, to be taken for it


@dataclass(frozen=True)
class Saved:
    """What became of a table's rows."""

    table: str
    saved: int
    lost: int | None  # ids that an index lists, or that lie where nothing can be read; None: nobody knows


@dataclass(frozen=True)
class Salvage:
    """What was saved, and where the damaged file is now."""

    tables: tuple[Saved, ...]
    kept: Path

    @property
    def saved(self) -> int:
        return sum(table.saved for table in self.tables)

    def __str__(self) -> str:
        counts = ", ".join(f"{one.saved:,} {one.table}" for one in self.tables if one.saved)
        lost = ", ".join(
            f"{'nobody knows how many' if one.lost is None else f'{one.lost:,}'} {one.table}"
            for one in self.tables
            if one.lost != 0
        )
        return f"saved {counts}; lost {lost or 'nothing'}; the damaged file is {self.kept.name}"


def salvage(path: Path) -> Salvage:
    """Puts a sound copy of the catalogue at ``path`` in its place; the damaged file stays beside it.

    Raises ``LibraryError``, and changes nothing, when not a single row can be read, the file is a newer
    program's, the disk is full or somebody holds it.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with _Openable(path) as source:
            new.touch()
            upgrade(new)
            with closing(sqlite3.connect(new, isolation_level=None)) as target:
                target.execute("BEGIN")
                saved = [_copy(source, target, table) for table in tables() if table not in _DERIVED]
                _copy(source, target, _STATES)  # of which index files there are
                mend_values(target)
                mend_references(target)
                note_states(target)
                target.execute("COMMIT")
                target.execute("PRAGMA journal_mode = DELETE")  # nothing of it is in another file
                target.execute("PRAGMA journal_mode = WAL")
                saved = [_counted(target, one) for one in saved]
        result = Salvage(tuple(saved), _free_name(path))
        if not result.saved:
            raise LibraryError(
                f"{path}: nothing in it can be read; restore it from a backup, or delete the library folder "
                "and run `index` again"
            )
        _put_in_place(new, path, result.kept)
        return result
    except sqlite3.Error as error:  # of the new file, or of a lock that somebody holds
        raise library_error(path, error) from None
    finally:
        new.unlink(missing_ok=True)


# --- reading what can be read -----------------------------------------------------------------------


class _Openable:
    """The damaged file as a connection that reads; where its first page is damaged, a mended copy of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy = path.with_name(f"{path.name}.{os.getpid()}.copy.part")
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        self._connection = (
            self._open(self._path)
            or self._mended({})
            or self._mended(_header())
            or self._open(self._path, whatever=True)
            or self._mended(_header(), whatever=True)
            or self._mended(_schema(), whatever=True)
        )
        if self._connection is None:
            raise LibraryError(
                f"{self._path}: nothing in it can be read; restore it from a "
                "backup, or delete the library folder and run `index` again"
            )
        return self._connection

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
        for file in self._copy.parent.glob(f"{self._copy.name}*"):
            file.unlink()

    def _open(self, path: Path, *, whatever: bool = False) -> sqlite3.Connection | None:
        """A connection to a file in which SQLite finds the tables of a catalogue, as it declares them or
        ``whatever`` is said of them."""
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
        try:
            check_not_newer(path, schema_version(connection))
            connection.execute("PRAGMA cell_size_check = ON")
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = {name for (name,) in rows}
            version = likely_version(connection, schema_version(connection))
            damaged = set() if whatever else set(schema_faults(connection, version)) & set(tables())
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # a message of SQLite that quotes what is no text
            names, damaged = set(), set()
        except LibraryError:
            connection.close()
            raise
        if names >= _NEEDED and not damaged:
            return connection
        connection.close()
        return None

    def _mended(self, pieces: Mapping[int, bytes], *, whatever: bool = False) -> sqlite3.Connection | None:
        """A copy of the file and its log with these pieces put over what it has at these places, and with the
        schema in its right words."""
        shutil.copyfile(self._path, self._copy)
        with self._copy.open("r+b") as file:
            fold_log(_log(self._path), file)
            file.seek(_PAGE_COUNT)
            (pages,) = struct.unpack(">I", file.read(4).ljust(4, b"\0"))
            for place, piece in pieces.items():
                file.seek(place)
                file.write(piece)
            # SQLite refuses a schema with tables beyond the end of the file.
            size = file.seek(0, os.SEEK_END)
            file.truncate(max(size + _ADDED * _PAGE, min(pages * _PAGE, _LONGEST * size)))
        _mend_schema(self._copy)
        return self._open(self._copy, whatever=whatever)


def _mend_schema(path: Path) -> None:
    """Puts the words of a new catalogue where a file's own are nearly those; each table stays where it is.

    What resembles nothing of a catalogue is taken out: SQLite would not open a file with a line that it does
    not understand. A schema that cannot even be listed stays as it is.
    """
    with (
        suppress(sqlite3.DatabaseError, UnicodeDecodeError),
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA writable_schema = ON")  # and what cannot be understood is passed over
        with closing(fresh(likely_version(connection, schema_version(connection)))) as new:
            wanted = new.execute(_SCHEMA_LINES).fetchall()
        connection.text_factory = any_text
        there = connection.execute(_SCHEMA_LINES).fetchall()
        connection.execute("BEGIN")
        for place, number in _nearest([row[1:] for row in there], [row[1:] for row in wanted]).items():
            rowid = there[place][0]
            if number is None:
                connection.execute("DELETE FROM sqlite_master WHERE rowid = ?", [rowid])
            else:
                connection.execute(
                    "UPDATE sqlite_master SET type = ?, name = ?, tbl_name = ?, sql = ? WHERE rowid = ?",
                    [*wanted[number][1:], rowid],
                )
        connection.execute("COMMIT")


_SCHEMA_LINES = "SELECT rowid, type, name, tbl_name, sql FROM sqlite_master"


def _nearest(there: Sequence[Sequence[Any]], wanted: Sequence[Sequence[Any]]) -> dict[int, int | None]:
    """Which of the wanted lines each of a schema is meant to be; None for one that is none of them."""
    texts = [[" ".join(str(value).split()) for value in row] for row in there]
    targets = [[" ".join(str(value).split()) for value in row] for row in wanted]
    left = {number: target for number, target in enumerate(targets) if target not in texts}
    meant: dict[int, int | None] = {}
    for place, text in enumerate(texts):
        if text in targets:
            continue  # it is right as it is
        likeness = {number: _likeness(text, target) for number, target in left.items()}
        best = max(likeness, key=lambda number: likeness[number], default=None)
        meant[place] = best if best is not None and likeness[best] >= _ALIKE else None
        left.pop(meant[place], None)  # type: ignore[arg-type]
    return meant


def _likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """Of the characters of two lines those that agree, from 0 to 1."""
    return SequenceMatcher(None, "\n".join(one), "\n".join(other), autojunk=False).ratio()


def _header() -> dict[int, bytes]:
    """The header of a new catalogue, by its place."""
    return {0: _new_catalogue()[:_HEADER]}


def _schema() -> dict[int, bytes]:
    """The pages of a new catalogue that say where each table begins, by their places.

    In all catalogues that were made with this schema tables begin at the same pages. In one that was migrated
    they may not: then rows have the wrong number of values, or values of the wrong kind, and are left out.
    """
    data = _new_catalogue()
    pieces = {0: data[:_PAGE]}
    if data[_HEADER] == _INTERIOR:  # it takes more than a page, and this one points at the others
        (count,) = struct.unpack_from(">H", data, _HEADER + 3)
        cells = struct.unpack_from(f">{count}H", data, _HEADER + 12)
        numbers = [struct.unpack_from(">I", data, at)[0] for at in (_HEADER + 8, *cells)]
        pieces |= {(n - 1) * _PAGE: data[(n - 1) * _PAGE : n * _PAGE] for n in numbers}
    return pieces


def _new_catalogue() -> bytes:
    """The file of one, as if it had any number of pages."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "new.sqlite")
        path.touch()
        upgrade(path)
        with closing(sqlite3.connect(path)) as connection:
            # Without a log beside it; and a file of any length is taken as it is.
            connection.execute("PRAGMA journal_mode = DELETE")
        data = bytearray(path.read_bytes())
    data[_PAGE_COUNT : _PAGE_COUNT + 4] = bytes(4)  # the file's length says it
    return bytes(data)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> Saved:
    """Copies the rows of a table that can be read and that the new one takes."""
    wanted = [column.name for column in columns(target, table)]
    there = _names(source, table)
    if not there:  # a table that came with a later schema
        return Saved(table, 0, 0)
    common = ", ".join(f'"{name}"' for name in wanted if name in there)
    places = ", ".join("?" * (len(common.split(", ")) + 1))
    statement = f"INSERT INTO {table} (rowid, {common}) VALUES ({places})"
    ids: set[int] = set()
    highest = _highest(source, table)
    unread = 0
    for first, last, rows in _readable(source, table, common, _HIGHEST if highest is None else highest):
        if rows is None:
            unread += last - first + 1
            continue
        for row in rows:
            try:
                target.execute(statement, row)
                ids.add(row[0])
            # A value that the column cannot have, a row that is there twice, text that is none.
            # (A full disk is another error, and ends the salvage.)
            except (sqlite3.IntegrityError, sqlite3.DataError, UnicodeError, OverflowError):
                unread += 1
    listed = _listed(source, table)
    lost: int | None = unread if listed is None else len(listed - ids)
    if listed is None and highest is None and unread:
        lost = None  # how many of the ids that were tried were there
    _keep_counting(source, target, table, max(ids | (listed or set()), default=0))
    return Saved(table, len(ids), lost)


def _names(source: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in source.execute(f"PRAGMA table_info({table})")}


def _readable(
    source: sqlite3.Connection, table: str, names: str, highest: int
) -> Iterator[tuple[int, int, list[tuple[Any, ...]] | None]]:
    """Ranges of row ids with their rows, or None for those of which none can be read."""
    query = f"SELECT rowid, {names} FROM {table} NOT INDEXED WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
    for start in range(1, highest + 1, _ROWS):
        ranges = [(start, start + _ROWS - 1)]
        while ranges:
            first, last = ranges.pop()
            try:
                yield first, last, source.execute(query, [first, last]).fetchall()
            except sqlite3.Error as error:  # "malformed", or text that is not UTF-8
                if "locked" in str(error):  # which says nothing about the rows
                    raise
                if first == last or (last - first > _PROBED and _is_dead(source, table, first, last)):
                    yield first, last, None
                else:
                    middle = (first + last) // 2
                    ranges += [(middle + 1, last), (first, middle)]


def _is_dead(source: sqlite3.Connection, table: str, first: int, last: int) -> bool:
    """Whether of some ids all over a range none can even be looked for: their part of the tree is gone.

    To halve a table whose root is gone down to each id would take minutes.
    """
    for id_ in (*range(first, last, (last - first) // _PROBES), last):
        with suppress(sqlite3.Error):
            source.execute(f"SELECT 1 FROM {table} NOT INDEXED WHERE rowid = ?", [id_]).fetchone()
            return False
    return True


def _highest(source: sqlite3.Connection, table: str) -> int | None:
    """The highest row id that there can be; None where nothing says it. A damaged row may have any."""
    found = []
    for query, values in (
        ("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]),
        (f"SELECT MAX(rowid) FROM {table} NOT INDEXED", []),
    ):
        with suppress(sqlite3.Error, TypeError, ValueError):
            row = source.execute(query, values).fetchone()
            if row is not None and 0 <= int(row[0] or 0) <= _HIGHEST_KNOWN:
                found.append(int(row[0] or 0))
    return min(found, default=None)


def _listed(source: sqlite3.Connection, table: str) -> set[int] | None:
    """The row ids that an index of the table lists; None where there is none that can be read."""
    try:
        indexes = [row[1] for row in source.execute(f"PRAGMA index_list({table})")]
    except sqlite3.Error:
        return None
    for index in indexes:
        with suppress(sqlite3.Error):
            return {id_ for (id_,) in source.execute(f'SELECT rowid FROM {table} INDEXED BY "{index}"')}
    return None


def _keep_counting(source: sqlite3.Connection, target: sqlite3.Connection, table: str, highest: int) -> None:
    """Ids are never given out twice: the new table goes on where the old one was."""
    with suppress(sqlite3.Error, TypeError, ValueError):
        row = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
        if row is not None and 0 <= int(row[0]) <= _HIGHEST_KNOWN:
            highest = max(highest, int(row[0]))
    target.execute("UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = ?", [highest, table])


def _counted(target: sqlite3.Connection, one: Saved) -> Saved:
    """With the rows that are left when those without what they refer to are gone."""
    ((count,),) = target.execute(f"SELECT COUNT(*) FROM {one.table}")
    return Saved(one.table, count, None if one.lost is None else one.lost + one.saved - count)


# --- putting it in place ----------------------------------------------------------------------------


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return name


def _put_in_place(new: Path, path: Path, kept: Path) -> None:
    """There is a catalogue at every moment, with all that was committed.

    The log of the damaged file would be taken for the new one's, and two names cannot change in one step. So
    what is kept has the log folded in, and takes the place of the damaged file first: with its log or without
    it is the same.
    """
    sync(new)
    log = _log(path)
    if log.exists():
        with replacing(kept) as partial:
            shutil.copyfile(path, partial)
            with partial.open("r+b") as file:
                fold_log(log, file)
        with replacing(path) as partial:
            _link(kept, partial)
        log.unlink()
    else:
        _link(path, kept)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    sync_folder(path.parent)
    new.replace(path)
    sync_folder(path.parent)


def _link(path: Path, name: Path) -> None:
    """Gives a file a second name, or copies it on a file system without links."""
    try:
        os.link(path, name)
    except OSError:
        shutil.copyfile(path, name)
        sync(name)


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
