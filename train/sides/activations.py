"""A cache of the untuned backbone's activations and features of photos.

The activations are the stem's; the features are pooled.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ImageError, UserError
from twobranch.common.progress import Progress
from twobranch.train.features import batched, content_hashes, decoded
from twobranch.train.sides.views import photo_views

PHOTOS_AT_A_TIME = 8
# Builds the function from (n, S, S, 3) uint8 pixels to (n, h, w, C) float16 activations and (n, F) float32
# features.
Extract = Callable[[], Callable[[NDArray[np.uint8]], tuple[NDArray[np.float16], NDArray[np.float32]]]]


@dataclass(frozen=True)
class Activations:
    """Activations of the readable photos, and errors of the others."""

    keys: dict[Path, bytes]  # photo -> the hash of its content
    rows: dict[Path, int]  # photo -> its row
    array: NDArray[np.float16]  # (rows, V, h, w, C), memory-mapped; row order is the cache's
    features: dict[Path, NDArray[np.float32]]  # photo -> (V, F) features of its views, before any tuning
    failed: tuple[ImageError, ...]


@dataclass(frozen=True)
class Extractor:
    """The untuned backbone as a function from pixels to activations and features."""

    name: str  # in the cache; must change whenever the activations of a view would
    build: Extract  # called only if a readable photo is missing from the cache
    size: int  # S, side of the input in pixels
    shape: tuple[int, int, int]  # (h, w, C) of the activations of a view


class ActivationCache:
    """(V, h, w, C) float16 blocks of activations, by content hash.

    One file holds the blocks; an SQLite file maps each content hash to its block. A block is written before
    its row is committed, and blocks are only added. So an extraction that was killed continues where it
    stopped, and a second one at the same time waits for each transaction of the first.
    """

    def __init__(self, folder: Path, extractor: str, shape: tuple[int, ...]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._shape = shape
        self._block = 2 * int(np.prod(shape))  # bytes
        self._path = folder / f"{extractor}.f16"
        self._path.touch()
        self._db = sqlite3.connect(folder / f"{extractor}.rows.sqlite", timeout=60, isolation_level=None)
        self._db.execute(
            'CREATE TABLE IF NOT EXISTS blocks (key BLOB PRIMARY KEY, "row" INTEGER UNIQUE, features BLOB)'
        )

    def rows(self) -> dict[bytes, int]:
        """Return the row of every block, by content hash."""
        return dict(self._db.execute('SELECT key, "row" FROM blocks'))

    def features(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Return the (V, F) float32 features of the views, by content hash.

        Keys that are not in the cache are left out.
        """
        wanted = set(keys)
        return {
            key: np.frombuffer(blob, dtype=np.float32).reshape(self._shape[0], -1)
            for key, blob in self._db.execute("SELECT key, features FROM blocks")
            if key in wanted
        }

    def put(self, keys: Sequence[bytes], blocks: NDArray[np.float16], features: NDArray[np.float32]) -> None:
        """Add blocks and features of N photos to the cache.

        ``blocks`` is (N, V, h, w, C) and ``features`` (N, V, F).
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            (row,) = self._db.execute('SELECT COALESCE(MAX("row") + 1, 0) FROM blocks').fetchone()
            with self._path.open("r+b") as file:
                file.seek(row * self._block)
                file.write(np.ascontiguousarray(blocks).tobytes())
            new = [(key, row + i, features[i].tobytes()) for i, key in enumerate(keys)]
            self._db.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", new)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def array(self) -> NDArray[np.float16]:
        """Open all blocks as (rows, V, h, w, C) float16, memory-mapped.

        Raises ``UserError`` when the file was truncated.
        """
        (n,) = self._db.execute('SELECT COALESCE(MAX("row") + 1, 0) FROM blocks').fetchone()
        if self._path.stat().st_size < n * self._block:
            raise UserError(f"{self._path}: is truncated; delete the cache folder and train again")
        if n == 0:
            return np.empty((0, *self._shape), dtype=np.float16)
        return np.memmap(self._path, dtype=np.float16, mode="r", shape=(n, *self._shape))

    def close(self) -> None:
        self._db.close()


def photo_activations(
    photos: Sequence[Path],
    extractor: Extractor,
    *,
    n_views: int,
    cache: Path,
    progress: Progress,
) -> Activations:
    """Return the activations and features of ``n_views`` views of each photo.

    Only contents that are not in the cache are computed. Raises ``UserError`` when the cache is damaged.
    """
    failed: list[ImageError] = []
    keys = content_hashes(photos, failed)
    shape = (n_views, *extractor.shape)
    with closing(ActivationCache(cache, f"{extractor.name}-x{n_views}", shape)) as store:
        known = store.rows()
        missing = {key: photo for photo, key in keys.items() if key not in known}
        if missing:
            built = lru_cache(maxsize=1)(extractor.build)
            progress.start(f"{n_views} view{'s' * (n_views > 1)} of each photo", len(missing))
            views = decoded(
                missing.items(),
                lambda photo: photo_views(photo, extractor.size, n_views),
                ahead=4 * PHOTOS_AT_A_TIME,
                failed=failed,
                progress=progress,
            )
            for batch in batched(views, PHOTOS_AT_A_TIME):
                pixels = np.concatenate([photo for _, photo in batch])  # (n * V, S, S, 3)
                blocks, features = built()(pixels)
                store.put(
                    [key for key, _ in batch],
                    blocks.reshape(-1, *shape),
                    features.reshape(len(batch), n_views, -1),
                )
                progress.advance(len(batch))
            progress.finish()
            known = store.rows()
        array = store.array()
        features_of = store.features([key for key in keys.values() if key in known])
    keys = {photo: key for photo, key in keys.items() if key in known}
    return Activations(
        keys,
        {photo: known[key] for photo, key in keys.items()},
        array,
        {photo: features_of[key] for photo, key in keys.items()},
        tuple(failed),
    )
