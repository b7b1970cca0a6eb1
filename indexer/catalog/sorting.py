"""The orders of photos and captions: by date, folder or size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal, get_args

from twobranch.indexer.catalog.filters import DATE, Filters
from twobranch.indexer.catalog.reader import WITH_PHOTO, CatalogReader, Gallery
from twobranch.indexer.disk.names import path_key

Sort = Literal["date", "folder", "size"]
SORTS: tuple[Sort, ...] = get_args(Sort)
Value = str | int  # of a photo: its date, its path or its bytes


@dataclass(frozen=True)
class Mark:
    """The place just after an item, which may be gone by now."""

    value: Value
    id: int


@dataclass(frozen=True)
class Sorting:
    """One order: how photos are compared, and under which headings they are."""

    is_value: Callable[[Any], bool]
    columns: str  # SQL
    value: Callable[[Sequence[Any]], Value]  # of these columns
    key: Callable[[Any], Any]  # of a value: what SQLite and Python compare in the same way
    key_column: str  # the same in SQL
    heading: Callable[[Any], str]  # of a value
    newest_first: bool = True  # or the largest: the usual direction

    def is_later(self, value: Value, other: Value) -> bool:
        """Compare two values in the usual direction."""
        key, other_key = self.key(value), self.key(other)
        return bool(key < other_key if self.newest_first else key > other_key)


def is_integer(value: Any) -> bool:
    """Return True for an integer that SQLite can hold."""
    return type(value) is int and -(2**63) <= value < 2**63


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and value.isascii()


def _is_path(value: Any) -> bool:
    return isinstance(value, str)


def _path(columns: Sequence[Any]) -> str:
    root, path = map(os.fsdecode, columns)
    return f"{root.rstrip('/')}/{path}"


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "/"


_MB = 1_000_000
# The least bytes under a heading, and the heading.
_SIZES = ((10 * _MB, "10 MB and more"), (5 * _MB, "5 to 10 MB"), (2 * _MB, "2 to 5 MB"), (_MB, "1 to 2 MB"))


def _size_range(size: int) -> str:
    return next((name for least, name in _SIZES if size >= least), "less than 1 MB")


_DATE = f"COALESCE({DATE}, '')"
SORTINGS: dict[Sort, Sorting] = {
    "date": Sorting(
        is_value=_is_date,
        columns=_DATE,
        value=itemgetter(0),
        key=str,
        key_column=_DATE,
        heading=lambda date: date[:7],
    ),
    "folder": Sorting(
        is_value=_is_path,
        columns="r.path, i.path",
        value=_path,
        key=path_key,
        key_column="path_key(r.path, i.path)",
        heading=_folder,
        newest_first=False,
    ),
    "size": Sorting(
        is_value=is_integer,
        columns="i.size",
        value=itemgetter(0),
        key=int,
        key_column="i.size",
        heading=_size_range,
    ),
}


def listed_vectors(
    reader: CatalogReader,
    kind: Gallery,
    model_id: int,
    filters: Filters,
    n: int,
    sort: Sort = "date",
    after: Mark | None = None,
) -> list[int]:
    """Return the vectors of ``n`` photos that pass, in an order.

    The newest or the largest come first, folders from A to Z; of equal ones the older vector. They begin
    after a mark. For captions, the vectors of their captions. Raises ``LibraryError``.
    """
    sorting = SORTINGS[sort]
    key = sorting.key_column
    later, direction = ("<", "DESC") if sorting.newest_first else (">", "ASC")
    condition, values = filters.condition()
    begin: list[Any] = []
    if after is not None:
        condition += f" AND ({key} {later} ? OR ({key} = ? AND v.id > ?))"
        begin = [sorting.key(after.value), sorting.key(after.value), after.id]
    rows = reader.rows(
        f"SELECT v.id FROM {WITH_PHOTO[kind]} WHERE v.model_id = ? AND {condition} "
        f"ORDER BY {key} {direction}, v.id LIMIT ?",
        [model_id, *values, *begin, n],
    )
    return [id_ for (id_,) in rows]


def sort_values(reader: CatalogReader, kind: Gallery, ids: Sequence[int], sort: Sort) -> dict[int, Value]:
    """Return vector id -> the value that its photo is sorted by.

    Captions without a photo are missing. Raises ``LibraryError``.
    """
    sorting = SORTINGS[sort]
    rows = reader.rows_by_ids(f"SELECT v.id, {sorting.columns} FROM {WITH_PHOTO[kind]} WHERE v.id IN", ids)
    return {id_: sorting.value(columns) for id_, *columns in rows}
