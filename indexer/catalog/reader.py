"""Reading the catalogue for a search, through ``sqlite3`` alone.

Everything else goes through SQLAlchemy, whose import takes longer than looking through a million photos.
``tests/indexer/test_reader.py`` compares these statements with rows that SQLAlchemy has written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError
from twobranch.embedding.model_folder import Variant, model_label
from twobranch.indexer.catalog.connection import ACTIVE_MODEL, connect, library_error, open_database
from twobranch.indexer.catalog.filters import DATE, FUNCTIONS, DateFrom, Filters
from twobranch.indexer.catalog.fulltext import FIELDS, frequent_words_beginning, match, words_beginning
from twobranch.indexer.catalog.vector_states import current_state, was_state

Gallery = Literal["images", "captions"]
GALLERIES: tuple[Gallery, ...] = get_args(Gallery)
# Searches for photos also use the vectors of their windows, where there are any (`index --regions`).
VectorKind = Literal["images", "captions", "regions"]
VECTOR_KINDS: tuple[VectorKind, ...] = get_args(VectorKind)
TABLES: dict[VectorKind, str] = {
    "images": "image_vectors",
    "captions": "caption_vectors",
    "regions": "region_vectors",
}
WITH_PHOTO: dict[VectorKind, str] = {
    "images": "image_vectors v JOIN images i ON i.id = v.image_id JOIN roots r ON r.id = i.root_id",
    "captions": "caption_vectors v JOIN captions c ON c.id = v.caption_id "
    "JOIN images i ON i.id = c.image_id JOIN roots r ON r.id = i.root_id",
    # In this order a condition is tested once for each photo, not for each of its windows.
    "regions": "images i JOIN roots r ON r.id = i.root_id CROSS JOIN region_vectors v ON v.image_id = i.id",
}
# The columns of ``Found``.
_PHOTO_FACTS = (
    f"{DATE}, CASE WHEN i.taken_at IS NULL THEN 'file' ELSE 'photo' END, i.id, i.width, i.height, "
    "NULLIF(lower(hex(substr(i.content_hash, 1, 8))), ''), i.latitude, i.longitude, "
    "m.rating, COALESCE(m.favourite, 0)"
)
_MARKS = "LEFT JOIN marks m ON m.content_hash = i.content_hash"
# Up to so many photos with a word, all are read to see which of a few have it.
_COMMON = 3000
_HAS_WORD = "SELECT 1 FROM words WHERE words MATCH ? LIMIT 1"
_IDS_A_STATEMENT = 500  # SQLite's default limit on parameters is 999 in old versions


@dataclass(frozen=True)
class LibraryModel:
    """The model that a library's vectors come from."""

    id: int
    name: str  # what a person calls it
    fingerprint: str
    dim: int

    @property
    def variant(self) -> Variant:
        """The options that photos were encoded with."""
        return Variant.of_fingerprint(self.fingerprint)

    @property
    def label(self) -> str:
        """The name, and the options that photos were indexed with."""
        return model_label(self.name, self.variant)


@dataclass(frozen=True)
class Found:
    """The photo or caption that a vector stands for.

    A caption comes with the photo it describes, if that is in the library.
    """

    path: Path | None
    caption: str | None
    date: datetime | None = None  # of the photo; None for a caption without one
    date_from: DateFrom | None = None
    photo: int | None = None  # its id
    width: int | None = None  # of the upright photo, in pixels
    height: int | None = None
    content: str | None = None  # a name of the file's content: another content has another name
    latitude: float | None = None  # degrees, north positive
    longitude: float | None = None  # degrees, east positive
    rating: int | None = None  # of the photo, 1 to 5
    favourite: bool = False


class CatalogReader:
    """An open catalogue, for reading. Threads may share it, one statement at a time."""

    def __init__(self, path: Path, *, write: bool = True) -> None:
        self.path = path
        self._connection = connect(path, write=write)
        for name, (n_arguments, function) in FUNCTIONS.items():
            self._connection.create_function(name, n_arguments, function, deterministic=True)

    @classmethod
    def open(cls, folder: Path) -> CatalogReader:
        """Open the catalogue of a library folder.

        Raises ``LibraryError`` as ``open_database`` does.
        """
        return cls(open_database(folder))

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything in the block from one moment.

        Raises ``LibraryError`` for a damaged file.
        """
        try:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise library_error(self.path, error) from None

    def version(self) -> int:
        """Return a number that changes when another connection commits.

        Compare it only with earlier numbers of the same reader.
        """
        ((version,),) = self._all("PRAGMA data_version", [])
        return int(version)

    def active_model(self) -> LibraryModel | None:
        """Return the model that searches use; None before the first one."""
        row = self._all(
            "SELECT m.id, m.name, m.fingerprint, m.dim FROM models m "
            "JOIN settings s ON m.id = CAST(s.value AS INTEGER) WHERE s.key = ?",
            [ACTIVE_MODEL],
        )
        return None if not row else LibraryModel(row[0][0], _text(row[0][1]), *row[0][2:])

    def has_models(self) -> bool:
        """Return True if the library knows a model.

        A sound catalogue that does also knows which one is active.
        """
        return bool(self._all("SELECT 1 FROM models LIMIT 1", []))

    def count_vectors(self, kind: VectorKind, model_id: int, after: int = 0) -> int:
        """Count the vectors of one kind and model with ids above ``after``.

        No vector is read.
        """
        statement = f"SELECT COUNT(*) FROM {TABLES[kind]} WHERE model_id = ? AND id > ?"
        ((count,),) = self._all(statement, [model_id, after])
        return int(count)

    def state(self, kind: VectorKind, model_id: int) -> bytes | None:
        """Return the current token of a kind and model, or None."""
        with self._reading():
            return current_state(self._connection, kind, model_id)

    def was_state(self, kind: VectorKind, model_id: int, token: bytes) -> bool:
        """Return True if the token is a current or past state.

        A past one belongs to the same kind and model.
        """
        with self._reading():
            return was_state(self._connection, kind, model_id, token)

    def vector_ids(self, kind: VectorKind, model_id: int, after: int = 0) -> NDArray[np.int64]:
        """Return (n,) the vector ids of one kind and model, rising.

        Only ids above ``after``.
        """
        statement = f"SELECT id FROM {TABLES[kind]} WHERE model_id = ? AND id > ? ORDER BY id"
        rows = self._execute(statement, [model_id, after])
        return np.fromiter((id_ for (id_,) in rows), dtype=np.int64)

    def vectors_after(self, kind: VectorKind, model_id: int, id_: int, n: int) -> list[tuple[int, bytes]]:
        """Return (id, vector) of at most ``n`` higher ids, rising."""
        return self._all(
            f"SELECT id, vector FROM {TABLES[kind]} WHERE model_id = ? AND id > ? ORDER BY id LIMIT ?",
            [model_id, id_, n],
        )

    def vectors(self, kind: VectorKind, ids: Sequence[int]) -> dict[int, bytes]:
        """Return id -> vector, of those that exist."""
        return dict(self.rows_by_ids(f"SELECT id, vector FROM {TABLES[kind]} WHERE id IN", ids))

    def matching(self, kind: VectorKind, model_id: int, filters: Filters) -> NDArray[np.int64]:
        """Return (n,) the vector ids of photos that match, rising.

        For captions, those whose photos match.
        """
        condition, values = filters.condition()
        rows = self._execute(
            f"SELECT v.id FROM {WITH_PHOTO[kind]} WHERE v.model_id = ? AND {condition} ORDER BY v.id",
            [model_id, *values],
        )
        return np.fromiter((id_ for (id_,) in rows), dtype=np.int64)

    def spread_ids(self, kind: VectorKind, model_id: int, n: int) -> list[int]:
        """Return up to ``n`` ids of vectors, spread over all.

        They are of one kind and model, and rise. Each takes one look into an index; counting through all of
        them would read the whole table.
        """
        table = TABLES[kind]
        (ends,) = self._all(f"SELECT MIN(id), MAX(id) FROM {table} WHERE model_id = ?", [model_id])
        if ends[0] is None:
            return []
        statement = f"SELECT id FROM {table} WHERE model_id = ? AND id >= ? ORDER BY id LIMIT 1"
        wanted = np.linspace(int(ends[0]), int(ends[1]), n).astype(np.int64).tolist()
        return sorted({id_ for least in wanted for (id_,) in self._all(statement, [model_id, least])})

    def any_matching(self, kind: Gallery, model_id: int, filters: Filters) -> bool:
        """Return True if any photo matches.

        For captions, any photo with a caption.
        """
        condition, values = filters.condition()
        statement = f"SELECT 1 FROM {WITH_PHOTO[kind]} WHERE v.model_id = ? AND {condition} LIMIT 1"
        return bool(self._all(statement, [model_id, *values]))

    def found(self, kind: Gallery, ids: Sequence[int]) -> dict[int, Found]:
        """Return vector id -> its photo or caption, of those that exist."""
        if kind == "images":
            rows = self.rows_by_ids(
                f"SELECT v.id, r.path, i.path, {_PHOTO_FACTS}, NULL FROM image_vectors v "
                "JOIN images i ON i.id = v.image_id "
                f"JOIN roots r ON r.id = i.root_id {_MARKS} WHERE v.id IN",
                ids,
            )
        else:
            rows = self.rows_by_ids(
                f"SELECT v.id, r.path, i.path, {_PHOTO_FACTS}, c.text FROM caption_vectors v "
                "JOIN captions c ON c.id = v.caption_id LEFT JOIN images i ON i.id = c.image_id "
                f"LEFT JOIN roots r ON r.id = i.root_id {_MARKS} WHERE v.id IN",
                ids,
            )
        return {id_: _found(*columns) for id_, *columns in rows}

    def has_words(self) -> bool:
        """Return True if `index` has created the full-text table."""
        return bool(self._all("SELECT 1 FROM sqlite_master WHERE name = 'words'", []))

    def has_word(self, word: str) -> bool:
        """Return True if any photo has a word, in any field.

        Raises ``LibraryError``.
        """
        return bool(self.words_among([word]))

    def words_among(self, words: Sequence[str]) -> set[str]:
        """Return those of the words that any photo has, in any field.

        They are in lower case. A statement a word: 15 microseconds each, however many photos have it. (The
        table's list of words would read all occurrences.) Raises ``LibraryError``.
        """
        if not self.has_words():
            return set()
        return {word for word in words if self._words(_HAS_WORD, match(word, FIELDS))}

    def count_word(self, word: str, fields: Sequence[str]) -> int:
        """Count the photos with a word in one of these fields.

        Raises ``LibraryError``.
        """
        ((count,),) = self._words("SELECT COUNT(*) FROM words WHERE words MATCH ?", match(word, fields))
        return int(count)

    def images_with_word(self, word: str, fields: Sequence[str]) -> NDArray[np.int64]:
        """Return (n,) the ids of the photos with a word, rising.

        The word is in one of these fields. Raises ``LibraryError``.
        """
        # One text that NumPy parses: 0.7 ms for 10,000 ids, a fifth of the time of as many rows.
        statement = "SELECT GROUP_CONCAT(rowid) FROM words WHERE words MATCH ?"
        ((ids,),) = self._words(statement, match(word, fields))
        return np.fromstring(ids or "", dtype=np.int64, sep=",")

    def words_beginning(self, letters: str) -> list[str]:
        """Return the words of all photos that begin with some letters.

        Both are in lower case and without accents. Stop words are left out. Time grows with the occurrences
        of these words, 2 ms for 100,000. Raises ``LibraryError``.
        """
        try:
            return words_beginning(self._connection, letters)
        except sqlite3.DatabaseError as error:
            raise self._words_error(error) from None

    def frequent_words_beginning(self, letters: str, most: int) -> list[tuple[str, int]]:
        """Return the most frequent words that begin with some letters.

        Each has its number of photos. As ``words_beginning`` otherwise. Raises ``LibraryError``.
        """
        try:
            return frequent_words_beginning(self._connection, letters, most)
        except sqlite3.DatabaseError as error:
            raise self._words_error(error) from None

    def fields_with_words(self, words: Sequence[str], image_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Return photo id -> the fields with one of the words.

        Photos without any are missing.
        """
        if not image_ids:
            return {}
        wanted = np.unique(np.asarray(image_ids, dtype=np.int64))
        found: dict[int, set[str]] = {}
        common = []
        for word in words:
            if self.count_word(word, FIELDS) > _COMMON:
                common.append(word)
                continue
            for name in FIELDS:
                ids = self.images_with_word(word, (name,))
                if not len(ids):
                    continue
                at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)  # both rise
                for id_ in wanted[ids[at] == wanted].tolist():
                    found.setdefault(id_, set()).add(name)
        for id_, name in self._marked_fields(common, wanted.tolist()) if common else ():
            found.setdefault(id_, set()).add(name)
        return {id_: tuple(name for name in FIELDS if name in names) for id_, names in found.items()}

    def _marked_fields(self, words: Sequence[str], image_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield (photo id, field) by reading the text of each photo.

        It finds the same as ``fields_with_words`` and takes 40 microseconds a photo.
        """
        wanted = " OR ".join(match(word, FIELDS) for word in words)
        marked = ", ".join(f"highlight(words, {column}, char(1), '')" for column in range(len(FIELDS)))
        for start in range(0, len(image_ids), _IDS_A_STATEMENT):
            ids = ",".join(map(str, image_ids[start : start + _IDS_A_STATEMENT]))
            statement = f"SELECT rowid, {marked} FROM words WHERE words MATCH ? AND rowid IN ({ids})"
            for id_, *texts in self._words(statement, wanted):
                yield from ((id_, name) for name, text in zip(FIELDS, texts, strict=True) if "\1" in text)

    def images_of_vectors(self, ids: Sequence[int]) -> dict[int, int]:
        """Return vector id -> photo id."""
        return dict(self.rows_by_ids("SELECT id, image_id FROM image_vectors WHERE id IN", ids))

    def vectors_of_images(self, ids: Sequence[int], model_id: int) -> dict[int, int]:
        """Return photo id -> vector id under a model."""
        statement = f"SELECT image_id, id FROM image_vectors WHERE model_id = {int(model_id)} AND image_id IN"
        return dict(self.rows_by_ids(statement, ids))

    def has_regions(self, model_id: int) -> bool:
        """Return True if any photo has vectors of windows under a model."""
        return bool(self._all("SELECT 1 FROM region_vectors WHERE model_id = ? LIMIT 1", [model_id]))

    def regions(self, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return vector id -> (photo id, part) of existing windows."""
        rows = self.rows_by_ids("SELECT id, image_id, part FROM region_vectors WHERE id IN", ids)
        return {id_: (image, part) for id_, image, part in rows}

    def regions_of_images(self, ids: Sequence[int], model_id: int) -> dict[int, tuple[int, int]]:
        """Return vector id -> (photo id, part) of photos' windows.

        An index of SQLite has these columns; no vector is read.
        """
        rows = self.rows_by_ids(
            f"SELECT id, image_id, part FROM region_vectors WHERE model_id = {int(model_id)} AND image_id IN",
            ids,
        )
        return {id_: (image, part) for id_, image, part in rows}

    def rows(self, statement: str, parameters: Sequence[int | str | float] = ()) -> list[Any]:
        """Return the rows of a statement of another catalogue module.

        Raises ``LibraryError``.
        """
        return self._all(statement, parameters)

    def _words(self, statement: str, expression: str) -> list[Any]:
        try:
            return self._connection.execute(statement, [expression]).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._words_error(error) from None

    def _words_error(self, error: sqlite3.DatabaseError) -> LibraryError:
        return LibraryError(
            f"{self.path}: the words of its photos are damaged ({error}); run `index` to make them anew, "
            "or search with --visual-only"
        )

    def rows_by_ids(self, statement: str, ids: Sequence[int]) -> Iterator[Any]:
        """Yield the rows for any number of ids.

        The statement ends in ``IN``. Raises ``LibraryError``.
        """
        for start in range(0, len(ids), _IDS_A_STATEMENT):
            some = list(ids[start : start + _IDS_A_STATEMENT])
            yield from self._all(f"{statement} ({','.join('?' * len(some))})", some)

    def _all(self, statement: str, parameters: Sequence[int | str | float]) -> list[Any]:
        with self._reading():
            return self._connection.execute(statement, parameters).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise library_error(self.path, error) from None

    def _execute(self, statement: str, parameters: Sequence[int | str | float]) -> Iterator[Any]:
        """Yield the rows of a statement one by one.

        For more rows than should be in memory.
        """
        with self._reading():
            yield from self._connection.execute(statement, parameters)


def _found(
    root: str | bytes | None,
    path: str | bytes,
    date: str | None,
    date_from: DateFrom,
    photo: int | None,
    *facts: Any,
) -> Found:
    """Return the photo or caption of a row of ``CatalogReader.found``."""
    width, height, content, latitude, longitude, rating, favourite, text = facts
    return Found(
        None if root is None else Path(_text(root), _text(path)),
        text,
        _moment(date),
        date_from if date else None,
        photo,
        width,
        height,
        content,
        latitude,
        longitude,
        rating,
        bool(favourite),
    )


def _text(value: str | bytes) -> str:
    """Return a name from the operating system as text.

    Names that are not UTF-8 are stored as bytes (``tables.OsText``).
    """
    return os.fsdecode(value) if isinstance(value, bytes) else value


def _moment(value: str | None) -> datetime | None:
    """Return a date of SQLite.

    It looks like ``2020-02-03 04:05:06``, with six decimals where SQLAlchemy has stored it.
    """
    return None if value is None else datetime.fromisoformat(value)
