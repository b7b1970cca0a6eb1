"""Thumbnails of the library's photos, made in threads and cached on disk."""

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
from twobranch.indexer.disk.open import MAX_BYTES

_QUALITY = 80  # of WebP, 0 to 100
_NICENESS = 10
_DECODING = 1 << 30  # bytes of memory for all photos that are being decoded


@dataclass(frozen=True)
class Thumbnail:
    """A thumbnail as WebP, and the SHA-256 of its photo's file."""

    content_hash: bytes
    data: bytes


class _Making:
    """A thumbnail in the making, and the number of requests for it."""

    def __init__(self, work: Future[Thumbnail]) -> None:
        self.work = work
        self.answer = asyncio.wrap_future(work)
        self.answer.add_done_callback(_retrieve_error)  # otherwise asyncio logs unretrieved exceptions
        self.n_waiting = 0


class Thumbnails:
    """The thumbnails of one library.

    ``make`` and ``close`` may only be called in the event loop's thread.
    """

    def __init__(self, library: Path) -> None:
        self._cache = ThumbnailCache(library)
        # Decoding and searching share the cores: more threads would slow down searches and gain nothing.
        self._makers = ThreadPoolExecutor(
            usable_cores(), thread_name_prefix="thumbnail", initializer=_lower_priority
        )
        self.memory = Memory(_DECODING)  # shared with whoever decodes photos
        self._making: dict[tuple[PhotoFile, int], _Making] = {}

    def current(self, photo: PhotoFile) -> bytes | None:
        """Return the SHA-256 of the photo's file, or None if it changed.

        The hash is the one that was indexed; a file of the same size and time counts as unchanged. The cached
        thumbnail of that hash was made from the indexed content, even if another file has replaced it since.

        Raises ``ImageError`` when the file cannot be opened.
        """
        opened = open_photo_file(photo)
        opened.file.close()
        return photo.content_hash if opened.as_indexed else None

    def ready(self, content_hash: bytes, side: int) -> Thumbnail | None:
        """Return the cached thumbnail of this content, or None.

        Its longer side has at most ``side`` pixels.
        """
        data = self._cache.get(content_hash, side)
        return None if data is None else Thumbnail(content_hash, data)

    async def make(self, photo: PhotoFile, side: int) -> Thumbnail:
        """Make the thumbnail of the photo's current file.

        Requests for the same thumbnail share the work. When the last of them is cancelled before a thread has
        begun, the thumbnail is not made: people who type abandon the thumbnails of every earlier query, and
        those of the last query would wait for them all. Raises ``ImageError`` for a file that cannot be read.
        """
        key = photo, side
        making = self._making.get(key)
        if making is None:
            making = _Making(self._makers.submit(self._make, photo, side))
            self._making[key] = making
            making.answer.add_done_callback(lambda _: self._forget(key, making))
        making.n_waiting += 1
        try:
            return await asyncio.shield(making.answer)  # a cancelled request must not cancel the work
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
            if opened.size > MAX_BYTES:
                raise ImageError(photo.path, f"larger than {MAX_BYTES >> 30} GB")
            data = file.read(MAX_BYTES)
        content_hash = hashlib.sha256(data).digest()
        # The indexed file is shown as it is now. Another file in its place is not shown before `index`.
        if content_hash != photo.content_hash and not opened.is_same:
            raise ImageError(photo.path, opened.changed)
        kept = None if opened.as_indexed else self.ready(content_hash, side)
        if kept is not None:
            return kept
        small = io.BytesIO()
        with self.memory.room_for(thumbnail_bytes(data, side, photo.path)):
            load_thumbnail(data, side, name=photo.path).save(small, "WEBP", quality=_QUALITY)
        self._cache.put(content_hash, side, small.getvalue())
        return Thumbnail(content_hash, small.getvalue())

    def close(self) -> None:
        """Wait for running work; drop thumbnails that have not been started."""
        self._makers.shutdown(cancel_futures=True)


def _retrieve_error(answer: asyncio.Future[Thumbnail]) -> None:
    if not answer.cancelled():
        answer.exception()


def _lower_priority() -> None:
    """Lower the priority of the calling thread, on Linux.

    Searches come first: people wait for the hits, and thumbnails come after them. Other systems have no
    priority for single threads.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICENESS)
