"""Small pictures of the library's photos: made once, in threads of their own, and kept on disk."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import get_native_id

from twobranch.common.cpu import usable_cores
from twobranch.common.errors import ImageError
from twobranch.embedding.preprocess import load_thumbnail, thumbnail_bytes
from twobranch.indexer.catalog.photo_file import PhotoFile, open_photo_file
from twobranch.indexer.catalog.thumbnails import ThumbnailCache
from twobranch.indexer.disk.memory import Memory

_QUALITY = 80  # of WebP, 0 to 100
_NICENESS = 10
_MAX_BYTES = 1 << 30  # of a file; `index` reads no larger ones
_DECODING = 1 << 30  # bytes that the photos which are being decoded take together


@dataclass(frozen=True)
class Thumbnail:
    """A small picture as WebP, and the sha256 of the file that it shows."""

    content_hash: bytes
    data: bytes


class _Making:
    """A picture that is asked for, and how many wait for it."""

    def __init__(self, work: Future[Thumbnail]) -> None:
        self.work = work
        self.answer = asyncio.wrap_future(work)
        self.answer.add_done_callback(_look_at)  # asyncio complains of errors that nobody has waited for
        self.n_waiting = 0


class Thumbnails:
    """The pictures of one library. ``make`` and ``close`` are for the thread that takes requests."""

    def __init__(self, library: Path) -> None:
        self._cache = ThumbnailCache(library)
        # Decoding and searching share the cores; with more threads searches would wait longer for no gain.
        self._makers = ThreadPoolExecutor(
            usable_cores(), thread_name_prefix="thumbnail", initializer=_let_searches_go_first
        )
        self._memory = Memory(_DECODING)
        self._making: dict[tuple[PhotoFile, int], _Making] = {}

    def current(self, photo: PhotoFile) -> bytes | None:
        """The sha256 of the photo's file, where it looks as when it was indexed; None: nobody knows it.

        What is kept by that name was made from what was indexed, whatever lies there now.

        Raises ``ImageError`` when the file cannot be opened.
        """
        opened = open_photo_file(photo)
        opened.file.close()
        return photo.content_hash if opened.as_indexed else None

    def ready(self, content_hash: bytes, side: int) -> Thumbnail | None:
        """The picture that is kept of a file with this content, at most ``side`` pixels a side."""
        data = self._cache.get(content_hash, side)
        return None if data is None else Thumbnail(content_hash, data)

    async def make(self, photo: PhotoFile, side: int) -> Thumbnail:
        """The picture of what is in the photo's file now; whoever asks meanwhile gets the same one.

        What no thread has begun when the last of them is cancelled is not made: somebody who types leaves
        the pictures of every letter behind, and those of the last would wait for them all. Raises
        ``ImageError`` for what cannot be read.
        """
        key = photo, side
        making = self._making.get(key)
        if making is None:
            making = _Making(self._makers.submit(self._make, photo, side))
            self._making[key] = making
            making.answer.add_done_callback(lambda _: self._forget(key, making))
        making.n_waiting += 1
        try:
            return await asyncio.shield(making.answer)  # who leaves must not take it from the others
        finally:
            making.n_waiting -= 1
            if not making.n_waiting and making.work.cancel():
                self._forget(key, making)

    def _forget(self, key: tuple[PhotoFile, int], making: _Making) -> None:
        if self._making.get(key) is making:
            del self._making[key]

    def _make(self, photo: PhotoFile, side: int) -> Thumbnail:
        opened = open_photo_file(photo)
        with opened.file as file:
            if opened.size > _MAX_BYTES:
                raise ImageError(photo.path, f"larger than {_MAX_BYTES >> 30} GB")
            data = file.read(_MAX_BYTES)
        content_hash = hashlib.sha256(data).digest()
        # As it is now, if it is the file that was indexed; another one that took its place waits for `index`.
        if content_hash != photo.content_hash and not opened.is_same:
            raise ImageError(photo.path, opened.changed)
        kept = None if opened.as_indexed else self.ready(content_hash, side)
        if kept is not None:
            return kept
        small = io.BytesIO()
        with self._memory.room_for(thumbnail_bytes(data, side, photo.path)):
            load_thumbnail(data, side, name=photo.path).save(small, "WEBP", quality=_QUALITY)
        self._cache.put(content_hash, side, small.getvalue())
        return Thumbnail(content_hash, small.getvalue())

    def close(self) -> None:
        """Waits for the pictures that are being made; those that wait for a thread are not made."""
        self._makers.shutdown(cancel_futures=True)


def _look_at(answer: asyncio.Future[Thumbnail]) -> None:
    if not answer.cancelled():
        answer.exception()


def _let_searches_go_first() -> None:
    """Lowers the priority of the calling thread, where threads have one of their own: somebody who types
    waits for hits, and pictures come after them."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICENESS)
