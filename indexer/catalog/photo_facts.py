"""Facts of single photos, and pages of captions, for the server.

Plain ``sqlite3`` through the reader, as in ``indexer.catalog.reader``: a page of photos asks for a hundred.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from twobranch.indexer.catalog.filters import DATE, DateFrom
from twobranch.indexer.catalog.marks import blocks
from twobranch.indexer.catalog.photo_file import PhotoFile
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.disk.open import content_name
from twobranch.indexer.disk.walk import FoundFile

# Suffixes of the same format, by the name that filters use.
_ONE_NAME = {"jpeg": "jpg", "tiff": "tif", "heif": "heic"}


@dataclass(frozen=True)
class CataloguedPhoto:
    """All facts of a photo in the catalogue."""

    file: PhotoFile
    width: int | None  # of the upright photo, in pixels
    height: int | None
    date: datetime
    date_from: DateFrom
    camera: str | None
    latitude: float | None  # degrees, north positive
    longitude: float | None  # degrees, east positive
    keywords: tuple[str, ...]  # and title and description
    indexed_at: datetime  # UTC, without a zone

    @property
    def content(self) -> str | None:
        """A name of the file's content: another content has another name.

        As in ``Found``.
        """
        return content_name(self.file.content_hash)


@dataclass(frozen=True)
class CataloguedCaption:
    """A caption, and its photo if that is in the library."""

    id: int
    text: str
    split: str | None
    photo: int | None
    path: Path | None


def format_of(name: str) -> str:
    """Return a file's format by its suffix, as in ``Filters.formats``."""
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    return _ONE_NAME.get(suffix, suffix)


_FILE = "i.id, r.path, i.path, i.size, i.mtime_ns, i.content_hash, i.failure, i.identity"
_FROM = "FROM images i JOIN roots r ON r.id = i.root_id WHERE i.id = ?"


def photo_file(reader: CatalogReader, photo: int) -> PhotoFile | None:
    """Return the file of a photo by its id, or None.

    Raises ``LibraryError``.
    """
    rows = reader.rows(f"SELECT {_FILE} {_FROM}", [photo])
    return _file(rows[0]) if rows else None


def photo_files(reader: CatalogReader, photos: Sequence[int]) -> list[PhotoFile]:
    """Return the files of photos, each once.

    They are in the order of the ids as given. Those that are not in the library are left out. Raises
    ``LibraryError``.
    """
    files: dict[int, PhotoFile] = {}
    for ids in blocks(photos):
        rows = reader.rows(
            f"SELECT {_FILE} FROM images i JOIN roots r ON r.id = i.root_id WHERE i.id IN ({ids})"
        )
        files |= {row[0]: _file(row) for row in rows}
    return [files[photo] for photo in dict.fromkeys(photos) if photo in files]


def photo_facts(reader: CatalogReader, photo: int) -> CataloguedPhoto | None:
    """Return all facts of a photo by its id, or None.

    Raises ``LibraryError``.
    """
    rows = reader.rows(
        f"SELECT i.width, i.height, {DATE}, i.taken_at IS NULL, i.camera, i.latitude, i.longitude, "
        f"i.keywords, i.indexed_at, {_FILE} {_FROM}",
        [photo],
    )
    if not rows:
        return None
    width, height, date, is_of_file, camera, latitude, longitude, keywords, indexed_at, *file = rows[0]
    return CataloguedPhoto(
        _file(file),
        width,
        height,
        datetime.fromisoformat(date),
        "file" if is_of_file else "photo",
        camera,
        latitude,
        longitude,
        tuple((keywords or "").splitlines()),
        datetime.fromisoformat(indexed_at),
    )


def captions_of(reader: CatalogReader, photo: int) -> list[CataloguedCaption]:
    """Return the captions of a photo in the order of their files.

    Raises ``LibraryError``.
    """
    return _captions(reader, "c.image_id = ? AND c.same_as IS NULL", [photo], limit=-1)


def captions_after(
    reader: CatalogReader, after: int, limit: int, split: str | None
) -> list[CataloguedCaption]:
    """Return at most ``limit`` captions with ids above ``after``, rising.

    With ``split`` only those of that split. Raises ``LibraryError``.
    """
    condition, values = _in_split(split)
    return _captions(reader, f"c.id > ? AND {condition}", [after, *values], limit)


def count_captions(reader: CatalogReader, split: str | None) -> int:
    """Count the captions, with ``split`` only those of that split.

    Raises ``LibraryError``.
    """
    condition, values = _in_split(split)
    ((count,),) = reader.rows(f"SELECT COUNT(*) FROM captions c WHERE {condition}", values)
    return int(count)


def _in_split(split: str | None) -> tuple[str, list[str]]:
    """Return an SQL condition for captions of a split, and its values.

    A caption that several files have is in the splits that any of them names.
    """
    if split is None:
        return "c.same_as IS NULL", []
    repeated = "EXISTS (SELECT 1 FROM captions s WHERE s.same_as = c.id AND s.split = ?)"
    return f"c.same_as IS NULL AND (c.split = ? OR {repeated})", [split, split]


def _captions(
    reader: CatalogReader, condition: str, values: Sequence[int | str], limit: int
) -> list[CataloguedCaption]:
    rows = reader.rows(
        "SELECT c.id, c.text, "
        "COALESCE(c.split, (SELECT MAX(s.split) FROM captions s WHERE s.same_as = c.id)), "
        "i.id, r.path, i.path FROM captions c "
        "LEFT JOIN images i ON i.id = c.image_id LEFT JOIN roots r ON r.id = i.root_id "
        f"WHERE {condition} ORDER BY c.id LIMIT ?",
        [*values, limit],
    )
    return [
        CataloguedCaption(
            id_, text, split, photo, None if root is None else Path(os.fsdecode(root), os.fsdecode(path))
        )
        for id_, text, split, photo, root, path in rows
    ]


def _file(row: Sequence[Any]) -> PhotoFile:
    """Return the file of a row with the columns of ``_FILE``."""
    id_, root, path, size, mtime_ns, content_hash, failure, identity = row
    # Names that are not UTF-8 are stored as bytes (tables.OsText).
    found = FoundFile(os.fsdecode(path), size, mtime_ns)
    known = identity if isinstance(identity, str) else None  # a damaged row may hold anything
    reason = None if failure is None else os.fsdecode(failure)
    return PhotoFile(id_, Path(os.fsdecode(root)), found, content_hash, reason, known)
