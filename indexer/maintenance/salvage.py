"""Recovery of a damaged catalogue.

Its rows are copied into a new one. Rows that cannot be read are left out and counted. SQLite stores a table
as a tree of pages. If a page is damaged, the rows below it are lost, but not the others. So each table is
read in ranges of row ids, and a range that fails is halved until the damaged rows are isolated. A damaged
first page is replaced by that of a new catalogue, as far as possible.
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
from twobranch.indexer.catalog.repeats import refresh_repeats
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

_PAGE = 16384  # bytes, in catalogues of this program (indexer.catalog.migrations)
_HEADER = 100  # bytes
_PAGE_COUNT = 28  # offset in the header
_LONGEST = 4  # the most by which a truncated file grows, as a factor: a damaged header may have any size
_ADDED = 64  # pages added to a truncated file; the first pages of most tables come before any rows
_INTERIOR = 0x05  # the type of a page that points to other pages
_NEEDED = {"roots", "images", "image_vectors"}
# The highest id to try if it is unknown. Trying so many missing ids takes a few seconds.
_HIGHEST = 1 << 18
_HIGHEST_KNOWN = 1 << 30  # a stored number above this is damaged itself
_ROWS = 1000  # in memory together
_PROBED = 64  # ids: a longer range is probed before it is halved; a page has about as many rows or fewer
_PROBES = 8
# Tables that are built from the others, or copied without being counted.
_STATES = "past_vector_states"
_DERIVED = ("stale_words", "stale_captions", "vector_states", _STATES)
_ALIKE = 0.8  # the least similarity of a damaged table, index or trigger to the intended text


@dataclass(frozen=True)
class Saved:
    """The numbers of saved and lost rows of a table."""

    table: str
    saved: int
    lost: int | None  # ids listed by an index, or in unreadable ranges; None: unknown


@dataclass(frozen=True)
class Salvage:
    """The result of a recovery, and the path of the damaged file."""

    tables: tuple[Saved, ...]
    kept: Path

    @property
    def saved(self) -> int:
        return sum(table.saved for table in self.tables)

    def __str__(self) -> str:
        counts = ", ".join(f"{one.saved:,} {one.table}" for one in self.tables if one.saved)
        lost = ", ".join(
            f"{'an unknown number of' if one.lost is None else f'{one.lost:,}'} {one.table}"
            for one in self.tables
            if one.lost != 0
        )
        return f"saved {counts}; lost {lost or 'nothing'}; the damaged file is {self.kept.name}"


def salvage(path: Path) -> Salvage:
    """Replace a damaged catalogue by a repaired copy.

    The damaged file stays beside it. Raises ``LibraryError``, and changes nothing, if no row can be read, if
    the file was made by a newer program, if the disk is full, or if another process locks the file.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with _Openable(path) as source:
            new.touch()
            upgrade(new)
            with closing(sqlite3.connect(new, isolation_level=None)) as target:
                target.execute("BEGIN")
                saved = [_copy(source, target, table) for table in tables() if table not in _DERIVED]
                _copy(source, target, _STATES)  # the states of existing index files
                mend_values(target)
                mend_references(target)
                refresh_repeats(target)
                note_states(target)
                target.execute("COMMIT")
                target.execute("PRAGMA journal_mode = DELETE")  # moves all data into the main file
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
    except sqlite3.Error as error:  # of the new file, or a lock of another process
        raise library_error(path, error) from None
    finally:
        new.unlink(missing_ok=True)


# --- reading what can be read -----------------------------------------------------------------------


class _Openable:
    """Opens a damaged file, or a repaired copy of it.

    The copy is for files whose first page or schema is damaged.
    """

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
        """Open a file in which SQLite finds a catalogue.

        Its tables must match the schema, unless ``whatever``. The result is None if they do not.
        """
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
        try:
            check_not_newer(path, schema_version(connection))
            connection.execute("PRAGMA cell_size_check = ON")
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = {name for (name,) in rows}
            version = likely_version(connection, schema_version(connection))
            damaged = set() if whatever else set(schema_faults(connection, version)) & set(tables())
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # SQLite may quote damaged text in a message
            names, damaged = set(), set()
        except LibraryError:
            connection.close()
            raise
        if names >= _NEEDED and not damaged:
            return connection
        connection.close()
        return None

    def _mended(self, pieces: Mapping[int, bytes], *, whatever: bool = False) -> sqlite3.Connection | None:
        """Open a repaired copy of the file and its log.

        ``pieces`` are written at their offsets, and the text of the schema is corrected.
        """
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
    """Correct the schema text of a file that is nearly right.

    The root pages of the tables are not changed. A schema line that resembles none of a catalogue is deleted,
    since SQLite does not open a file with a line that it cannot parse. A schema that cannot be listed stays
    as it is.
    """
    with (
        suppress(sqlite3.DatabaseError, UnicodeDecodeError),
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA writable_schema = ON")  # also ignores lines that cannot be parsed
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
    """Match damaged schema lines with the intended ones, by similarity.

    The result maps the number of a line in ``there`` to one in ``wanted``, or to None if none is similar.
    Correct lines are left out.
    """
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
    """Return the similarity of two schema lines, from 0 to 1."""
    return SequenceMatcher(None, "\n".join(one), "\n".join(other), autojunk=False).ratio()


def _header() -> dict[int, bytes]:
    """Return the header of a new catalogue, by its offset."""
    return {0: _new_catalogue()[:_HEADER]}


def _schema() -> dict[int, bytes]:
    """Return the schema pages of a new catalogue, by their offsets.

    They contain the first page of each table. Tables begin at the same pages in all catalogues that were
    created with this schema. In a migrated one they may begin elsewhere: then rows have a wrong number of
    values, or values of a wrong type, and are left out.
    """
    data = _new_catalogue()
    pieces = {0: data[:_PAGE]}
    if data[_HEADER] == _INTERIOR:  # it takes several pages, and this one points to the others
        (count,) = struct.unpack_from(">H", data, _HEADER + 3)
        cells = struct.unpack_from(f">{count}H", data, _HEADER + 12)
        numbers = [struct.unpack_from(">I", data, at)[0] for at in (_HEADER + 8, *cells)]
        pieces |= {(n - 1) * _PAGE: data[(n - 1) * _PAGE : n * _PAGE] for n in numbers}
    return pieces


def _new_catalogue() -> bytes:
    """Return the bytes of a new catalogue, without a page count."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "new.sqlite")
        path.touch()
        upgrade(path)
        with closing(sqlite3.connect(path)) as connection:
            # Without a log beside it.
            connection.execute("PRAGMA journal_mode = DELETE")
        data = bytearray(path.read_bytes())
    data[_PAGE_COUNT : _PAGE_COUNT + 4] = bytes(4)  # SQLite then takes it from the file's length
    return bytes(data)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> Saved:
    """Copy the readable and valid rows of a table."""
    wanted = [column.name for column in columns(target, table)]
    there = _names(source, table)
    if not there:  # the table was added by a later schema
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
            # An invalid value, a duplicate row, or damaged text.
            # (A full disk raises another error, and ends the recovery.)
            except (sqlite3.IntegrityError, sqlite3.DataError, UnicodeError, OverflowError):
                unread += 1
    listed = _listed(source, table)
    lost: int | None = unread if listed is None else len(listed - ids)
    if listed is None and highest is None and unread:
        lost = None  # it is unknown how many of these ids existed
    _keep_counting(source, target, table, max(ids | (listed or set()), default=0))
    return Saved(table, len(ids), lost)


def _names(source: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in source.execute(f"PRAGMA table_info({table})")}


def _readable(
    source: sqlite3.Connection, table: str, names: str, highest: int
) -> Iterator[tuple[int, int, list[tuple[Any, ...]] | None]]:
    """Yield ranges of row ids with their rows. The rows are None for an unreadable range."""
    query = f"SELECT rowid, {names} FROM {table} NOT INDEXED WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
    for start in range(1, highest + 1, _ROWS):
        ranges = [(start, start + _ROWS - 1)]
        while ranges:
            first, last = ranges.pop()
            try:
                yield first, last, source.execute(query, [first, last]).fetchall()
            except sqlite3.Error as error:  # "malformed", or text that is not UTF-8
                if "locked" in str(error):  # this is no fault of the rows
                    raise
                if first == last or (last - first > _PROBED and _is_dead(source, table, first, last)):
                    yield first, last, None
                else:
                    middle = (first + last) // 2
                    ranges += [(middle + 1, last), (first, middle)]


def _is_dead(source: sqlite3.Connection, table: str, first: int, last: int) -> bool:
    """Return True if no id of a range's sample can be read.

    Then this part of the tree is lost. Halving a table without its root down to single ids would take
    minutes.
    """
    for id_ in (*range(first, last, (last - first) // _PROBES), last):
        with suppress(sqlite3.Error):
            source.execute(f"SELECT 1 FROM {table} NOT INDEXED WHERE rowid = ?", [id_]).fetchone()
            return False
    return True


def _highest(source: sqlite3.Connection, table: str) -> int | None:
    """Return the highest possible row id, or None if it is unknown.

    It is the lower of two sources, since a damaged row may have any id.
    """
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
    """Return the row ids in an index of the table.

    The result is None if no index can be read.
    """
    try:
        indexes = [row[1] for row in source.execute(f"PRAGMA index_list({table})")]
    except sqlite3.Error:
        return None
    for index in indexes:
        with suppress(sqlite3.Error):
            return {id_ for (id_,) in source.execute(f'SELECT rowid FROM {table} INDEXED BY "{index}"')}
    return None


def _keep_counting(source: sqlite3.Connection, target: sqlite3.Connection, table: str, highest: int) -> None:
    """Continue the row ids of the old table in the new one.

    An id must never be used twice.
    """
    with suppress(sqlite3.Error, TypeError, ValueError):
        row = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
        if row is not None and 0 <= int(row[0]) <= _HIGHEST_KNOWN:
            highest = max(highest, int(row[0]))
    target.execute("UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = ?", [highest, table])


def _counted(target: sqlite3.Connection, one: Saved) -> Saved:
    """Count the rows again, after rows with missing references were deleted."""
    ((count,),) = target.execute(f"SELECT COUNT(*) FROM {one.table}")
    return Saved(one.table, count, None if one.lost is None else one.lost + one.saved - count)


# --- putting it in place ----------------------------------------------------------------------------


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return name


def _put_in_place(new: Path, path: Path, kept: Path) -> None:
    """Replace the damaged file at ``path`` by ``new``.

    It is kept as ``kept``. At every moment there is a catalogue with all committed data. SQLite would apply
    the log of the damaged file to the new one, and two files cannot be replaced in one step. So the damaged
    file is first replaced by a copy that includes the log; this copy reads the same with or without the log.
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
    """Link a file to a second name.

    It is copied if the file system has no links.
    """
    try:
        os.link(path, name)
    except OSError:
        shutil.copyfile(path, name)
        sync(name)


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
