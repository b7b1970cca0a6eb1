"""Backbone and sentence features, cached on disk.

A second training run finds them there and starts at once.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ImageError
from twobranch.common.paths import cache_folder
from twobranch.common.progress import Progress
from twobranch.embedding.preprocess import WHOLE, View, load_views

T = TypeVar("T")
IMAGE_BATCH = 16
TEXT_BATCH = 128


def default_cache() -> Path:
    """Return the default folder for cached features.

    It is below the platform's cache folder and safe to delete at any time.
    """
    return cache_folder("features")


class FeatureCache:
    """Feature vectors by content hash, in one SQLite file for each extractor.

    Every ``put`` is one transaction, so an extraction that was killed continues where it stopped.
    """

    def __init__(self, folder: Path, extractor: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / f"{extractor}.sqlite", timeout=30)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
        )

    def get(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Return the (C,) float32 vectors of the ``keys`` that are cached."""
        found: dict[bytes, NDArray[np.float32]] = {}
        for block in batched(keys, 500):  # SQLite's default limit on parameters is 999 in old versions
            marks = ",".join("?" * len(block))
            rows = self._db.execute(f"SELECT key, vector FROM features WHERE key IN ({marks})", block)
            found.update((key, np.frombuffer(vector, dtype=np.float32)) for key, vector in rows)
        return found

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Store (N, C) float32 vectors under their keys."""
        rows = [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)

    def close(self) -> None:
        self._db.close()


@dataclass(frozen=True)
class ImageFeatures:
    """Features of the photos that could be read; ``failed`` names the others."""

    rows: dict[Path, int]  # photo -> its row
    features: NDArray[np.float32]  # (N, C)
    failed: tuple[ImageError, ...]


def image_features(
    photos: Sequence[Path],
    extract: Callable[[], Callable[[NDArray[np.uint8]], NDArray[np.float32]]],
    *,
    size: int,
    extractor: str,
    cache: Path,
    progress: Progress,
    views: Sequence[View] = WHOLE,
) -> ImageFeatures:
    """Return the (N, C) features of ``photos``.

    Features are computed only for photos whose content is not in the cache. ``extract`` builds the function
    from (n, S, S, 3) uint8 pixels to (n, C) features. It is called only if a readable photo is missing from
    the cache, because building the function takes seconds. ``extractor`` names backbone, weights and input
    size; it must change whenever the features would. Only the first of ``views`` is seen.
    """
    failed: list[ImageError] = []
    keys = content_hashes(photos, failed)
    with closing(FeatureCache(cache, extractor)) as store:
        known = store.get(list(set(keys.values())))
        missing = {key: photo for photo, key in keys.items() if key not in known}
        if missing:
            built = lru_cache(maxsize=1)(extract)
            progress.start("photos", len(missing))
            pixels_of = decoded(
                missing.items(),
                lambda photo: load_views(photo, size, views[:1]).pixels[0],
                ahead=4 * IMAGE_BATCH,
                failed=failed,
                progress=progress,
            )
            for batch in batched(pixels_of, IMAGE_BATCH):
                features = built()(np.stack([pixels for _, pixels in batch]))
                batch_keys = [key for key, _ in batch]
                store.put(batch_keys, features)
                known.update(zip(batch_keys, features, strict=True))
                progress.advance(len(batch))
            progress.finish()
    readable = [photo for photo in photos if keys.get(photo) in known]
    features = (
        np.stack([known[keys[photo]] for photo in readable]) if readable else np.empty((0, 0), np.float32)
    )
    return ImageFeatures({photo: row for row, photo in enumerate(readable)}, features, tuple(failed))


def text_features(
    texts: Sequence[str],
    extract: Callable[[], Callable[[Sequence[str]], NDArray[np.float32]]],
    *,
    extractor: str,
    cache: Path,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return the (N, C) float32 features of ``texts``.

    Features are computed only for texts that are not in the cache.
    """
    keys = [hashlib.sha256(text.encode()).digest() for text in texts]
    with closing(FeatureCache(cache, extractor)) as store:
        known = store.get(list(set(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            compute = extract()
            progress.start("sentences", len(missing))
            by_length = sorted(missing.items(), key=lambda item: len(item[1]))  # less padding to compute
            for batch in batched(by_length, TEXT_BATCH):
                batch_keys = [key for key, _ in batch]
                features = compute([text for _, text in batch])
                store.put(batch_keys, features)
                known.update(zip(batch_keys, features, strict=True))
                progress.advance(len(batch))
            progress.finish()
    return np.stack([known[key] for key in keys])


def content_hashes(photos: Sequence[Path], failed: list[ImageError]) -> dict[Path, bytes]:
    """Return the sha256 of each photo's content.

    Photos that cannot be read are added to ``failed``.
    """
    keys: dict[Path, bytes] = {}
    for photo in photos:
        try:
            keys[photo] = hashlib.sha256(photo.read_bytes()).digest()
        except OSError as error:
            failed.append(ImageError(photo, error.strerror or str(error)))
    return keys


def decoded(
    photos: Iterable[tuple[bytes, Path]],
    decode: Callable[[Path], NDArray[np.uint8]],
    *,
    ahead: int,
    failed: list[ImageError],
    progress: Progress,
) -> Iterator[tuple[bytes, NDArray[np.uint8]]]:
    """Yield (key, pixels) of each photo that ``decode`` can read.

    Two threads decode up to ``ahead`` photos in advance. Photos that cannot be read are added to ``failed``.
    """

    def load(item: tuple[bytes, Path]) -> tuple[bytes, NDArray[np.uint8] | ImageError]:
        key, photo = item
        try:
            return key, decode(photo)
        except ImageError as error:
            return key, error

    waiting: deque[Future[tuple[bytes, NDArray[np.uint8] | ImageError]]] = deque()
    rest = iter(photos)
    with ThreadPoolExecutor(max_workers=2) as pool:
        while True:
            waiting.extend(pool.submit(load, item) for item in islice(rest, ahead - len(waiting)))
            if not waiting:
                return
            key, pixels = waiting.popleft().result()
            if isinstance(pixels, ImageError):
                failed.append(pixels)
                progress.advance()
            else:
                yield key, pixels


def batched(items: Iterable[T], n: int) -> Iterator[list[T]]:
    """Yield lists of up to ``n`` items, in order."""
    iterator = iter(items)
    while batch := list(islice(iterator, n)):
        yield batch
