"""Cached thumbnails on disk, by content and size.

``thumbnails/ab/abcd….320.webp`` in the library folder. Nothing depends on them: a library that is read-only,
or on a full disk, has none. Thumbnails of photos that left the library may stay for a while. The oldest are
deleted when all take more than ``LIMIT``; ``vacuum`` and ``forget`` delete those without a photo.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from twobranch.common.atomic import replacing
from twobranch.indexer.catalog.reader import CatalogReader

FOLDER = "thumbnails"
LIMIT = 2_000_000_000  # bytes; 100,000 photos of 320 pixels take about 1.5 GB
_KEPT = 0.9  # share of the limit that stays when the oldest are deleted, so that this is rare


@dataclass(frozen=True)
class _Stored:
    path: Path
    size: int
    mtime_ns: int


class ThumbnailCache:
    """The thumbnails of one library. Threads and processes may share it."""

    def __init__(self, library: Path) -> None:
        self._folder = library / FOLDER
        self._lock = Lock()
        self._total: int | None = None  # bytes; None until the folder was read

    def get(self, content_hash: bytes, side: int) -> bytes | None:
        """Return a thumbnail as WebP; None if it is missing or damaged."""
        try:
            data = self._path(content_hash, side).read_bytes()
        except OSError:
            return None
        # A power cut may leave zeros or a part of the file. The header of WebP has the length.
        is_whole = data[:4] == b"RIFF" and len(data) == 8 + int.from_bytes(data[4:8], "little")
        return data if is_whole else None

    def put(self, content_hash: bytes, side: int, data: bytes) -> None:
        """Store a thumbnail, if that is possible."""
        path = self._path(content_hash, side)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, durable=False) as partial:  # `get` checks that it is whole
                partial.write_bytes(data)
            self._make_room(len(data))

    def _path(self, content_hash: bytes, side: int) -> Path:
        name = content_hash.hex()
        return self._folder / name[:2] / f"{name}.{side}.webp"

    def _make_room(self, added: int) -> None:
        """Count the added bytes, and delete the oldest thumbnails beyond the limit.

        Raises ``OSError``.
        """
        with self._lock:
            if self._total is not None:
                self._total += added
            if self._total is None or self._total > LIMIT:
                stored = sorted(_stored(self._folder), key=lambda file: file.mtime_ns, reverse=True)
                total = sum(file.size for file in stored)
                if total > LIMIT:  # another process may have made room already
                    while stored and total > _KEPT * LIMIT:
                        oldest = stored.pop()
                        with suppress(FileNotFoundError):
                            oldest.path.unlink()
                        total -= oldest.size
                self._total = total


def disk_use(library: Path) -> int:
    """Return the bytes of all thumbnails of a library."""
    folder = library / FOLDER
    return sum(file.size for file in _stored(folder)) if folder.is_dir() else 0


def remove_orphans(reader: CatalogReader) -> int:
    """Delete the thumbnails of no photo, and return their number.

    They belong to contents that no photo of the catalogue has. Raises ``LibraryError``.
    """
    folder = reader.path.parent / FOLDER
    if not folder.is_dir():
        return 0
    rows = reader.rows("SELECT lower(hex(content_hash)) FROM images WHERE content_hash IS NOT NULL")
    known = {name for (name,) in rows}
    removed = 0
    for file in _stored(folder):
        if file.path.name.partition(".")[0] not in known:
            with suppress(OSError):
                file.path.unlink()
                removed += 1
    return removed


def _stored(folder: Path) -> Iterator[_Stored]:
    """Yield all files in the cache, with those of killed processes."""
    with os.scandir(folder) as folders:
        for inner in folders:
            with suppress(NotADirectoryError), os.scandir(inner.path) as files:
                for file in files:
                    with suppress(FileNotFoundError):
                        status = file.stat(follow_symlinks=False)
                        yield _Stored(Path(file.path), status.st_size, status.st_mtime_ns)
