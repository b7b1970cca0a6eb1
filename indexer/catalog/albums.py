"""Albums: named lists of photos, in the order they were added.

An album holds contents, as marks do (``indexer.catalog.marks``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twobranch.indexer.catalog.collection_names import check_free, checked_name, id_of_name
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.marks import MARKABLE, blocks
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.writing import Transaction, now

_WITH_PHOTOS = f"album_photos p JOIN images i ON i.content_hash = p.content_hash AND {MARKABLE}"
_ALBUMS = (
    "SELECT a.id, a.name, a.created_at, "
    f"(SELECT COUNT(*) FROM {_WITH_PHOTOS} WHERE p.album_id = a.id), "
    f"(SELECT i.id FROM {_WITH_PHOTOS} WHERE p.album_id = a.id ORDER BY p.id, i.id LIMIT 1) FROM albums a"
)


@dataclass(frozen=True)
class Album:
    """An album and the number of its photos in the library."""

    id: int
    name: str
    created_at: str  # UTC, such as "2024-05-01 10:00:00"
    photos: int
    cover: int | None  # the id of its first photo

    def as_json(self) -> dict[str, Any]:
        """Return the album as JSON data."""
        return {
            "id": self.id,
            "name": self.name,
            "photos": self.photos,
            "cover": self.cover,
            "created_at": f"{self.created_at[:19].replace(' ', 'T')}Z",
        }


def all_albums(reader: CatalogReader) -> list[Album]:
    """Return the albums, the newest first. Raises ``LibraryError``."""
    return [_album(row) for row in reader.rows(f"{_ALBUMS} ORDER BY a.id DESC")]


def album_by_id(reader: CatalogReader, album: int) -> Album | None:
    """Return an album by its id, or None. Raises ``LibraryError``."""
    rows = reader.rows(f"{_ALBUMS} WHERE a.id = ?", [album])
    return _album(rows[0]) if rows else None


def album_names(reader: CatalogReader) -> list[tuple[int, str]]:
    """Return (id, name) of each album. Raises ``LibraryError``."""
    return [(id_, name) for id_, name in reader.rows("SELECT id, name FROM albums ORDER BY name")]


def check_albums(reader: CatalogReader, filters: Filters) -> None:
    """Raise ``UnknownNameError`` if a filter names an album that does not exist."""
    if filters.albums:
        names = album_names(reader)
        for name in filters.albums:
            id_of_name(names, name, "album")


def albums_of(reader: CatalogReader, photo: int) -> list[tuple[int, str]]:
    """Return (id, name) of the albums that a photo is in. Raises ``LibraryError``."""
    rows = reader.rows(
        f"SELECT a.id, a.name FROM {_WITH_PHOTOS} JOIN albums a ON a.id = p.album_id WHERE i.id = ? "
        "ORDER BY a.name",
        [photo],
    )
    return [(id_, name) for id_, name in rows]


def albums_by_photo(reader: CatalogReader, photos: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return photo id -> names of its albums, if any. Raises ``LibraryError``."""
    found: dict[int, tuple[str, ...]] = {}
    for ids in blocks(photos):
        rows = reader.rows(
            f"SELECT i.id, a.name FROM {_WITH_PHOTOS} JOIN albums a ON a.id = p.album_id "
            f"WHERE i.id IN ({ids}) ORDER BY a.name"
        )
        for id_, name in rows:
            found[id_] = (*found.get(id_, ()), name)
    return found


def album_photos(reader: CatalogReader, album: int) -> list[tuple[int, Path]]:
    """Return (id, path) of an album's photos, in its order. Raises ``LibraryError``."""
    rows = reader.rows(
        f"SELECT i.id, r.path, i.path FROM {_WITH_PHOTOS} JOIN roots r ON r.id = i.root_id "
        "WHERE p.album_id = ? ORDER BY p.id, i.id",
        [album],
    )
    return [(id_, Path(os.fsdecode(root), os.fsdecode(path))) for id_, root, path in rows]


# --- changes ----------------------------------------------------------------------------------------


def create_album(connection: Transaction, name: str) -> int:
    """Create an empty album, and return its id. Raises ``UserError``."""
    whole = checked_name(name, "album")
    check_free(connection, "albums", whole)
    cursor = connection.execute("INSERT INTO albums (name, created_at) VALUES (?, ?)", [whole, now()])
    return int(cursor.lastrowid or 0)


def rename_album(connection: Transaction, album: int, name: str) -> bool:
    """Rename an album. Returns False where there is none; raises ``UserError``."""
    whole = checked_name(name, "album")
    check_free(connection, "albums", whole, own=album)
    return connection.execute("UPDATE albums SET name = ? WHERE id = ?", [whole, album]).rowcount > 0


def delete_album(connection: Transaction, album: int) -> bool:
    """Delete an album; its photos stay. Returns False where there is none."""
    return connection.execute("DELETE FROM albums WHERE id = ?", [album]).rowcount > 0


def add_to_album(connection: Transaction, album: int, photos: Sequence[int]) -> int:
    """Add photos to the end of an album, in this order. Returns the number of new ones.

    Photos that are in it stay where they are. Ids that are not in the library are left out. Nothing happens
    where there is no such album.
    """
    contents: dict[int, bytes] = {}
    for ids in blocks(photos):
        contents |= connection.execute(
            f"SELECT i.id, i.content_hash FROM images i WHERE i.id IN ({ids}) AND {MARKABLE}"
        ).fetchall()
    added = 0
    for photo in photos:
        if photo in contents:
            added += connection.execute(
                "INSERT OR IGNORE INTO album_photos (album_id, content_hash, added_at) "
                "SELECT id, ?, ? FROM albums WHERE id = ?",
                [contents[photo], now(), album],
            ).rowcount
    return added


def remove_from_album(connection: Transaction, album: int, photos: Sequence[int]) -> int:
    """Remove photos from an album, with their copies. Returns the number of contents."""
    removed = 0
    for ids in blocks(photos):
        removed += connection.execute(
            "DELETE FROM album_photos WHERE album_id = ? AND content_hash IN "
            f"(SELECT content_hash FROM images WHERE id IN ({ids}))",
            [album],
        ).rowcount
    return removed


def _album(row: Sequence[Any]) -> Album:
    id_, name, created_at, photos, cover = row
    return Album(id_, name, created_at, photos, cover)
