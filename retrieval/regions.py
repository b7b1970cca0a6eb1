"""Scores of photos with their windows.

A photo counts as its best window where that is clearly better than the whole.

In a library with regions (``index --regions``) the score of a photo is max(whole, best window - penalty).
A photo has several windows, so the best of them scores higher by chance; the penalty makes up for that. It is
the one at which ordinary queries lose nothing (``benchmarks/regions.md``): ``PENALTY``, in proportion to the
spread of the model's scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.preprocess import REGIONS
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.vectors.exact import VectorIndex
from twobranch.indexer.vectors.index import Index

PENALTY = 0.06  # in scores of the shipped model
_EQUAL = 1e-6  # the same product, computed in blocks of different size
_PLACES = (("top", "middle", "bottom"), ("left", "centre", "right"))

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom, of the upright photo


@dataclass(frozen=True)
class Window:
    """The best window of a photo for a query. ``score`` is less the penalty."""

    score: float
    part: int  # its place in ``preprocess.REGIONS``


@dataclass(frozen=True)
class SearchedRegions:
    """The windows of the photos that are searched."""

    index: Index
    reader: CatalogReader
    model_id: int
    among: NDArray[np.int64] | None = None  # (n,) windows of photos that pass the filters; None: all
    penalty: float = PENALTY  # in scores of the model

    def folded(
        self, vector: NDArray[np.float32], scores: NDArray[np.float32], ids: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the k best photos, as a whole or by a window.

        The best comes first. ``scores`` and ``ids`` are those of the k best whole photos for the (D,) query,
        or of all where there are fewer. The result has the same shapes, (k',). Raises ``LibraryError``.
        """
        if not len(ids):
            return scores, ids
        # A window at most as good as the last of these photos can neither bring in nor lift one.
        windows = self._above(vector, float(scores[-1]) + self.penalty, k)
        best = self._best_of_each(windows, self.reader.regions(list(windows)))
        vectors = self.reader.vectors_of_images(list(best), self.model_id)
        found = dict(zip(ids.tolist(), scores.tolist(), strict=True))
        for image, window in best.items():
            if image in vectors:
                id_ = vectors[image]
                found[id_] = max(found.get(id_, window.score), window.score)
        every = np.fromiter(found, dtype=np.int64)
        values = np.fromiter(found.values(), dtype=np.float32)
        order = np.lexsort((every, -values))[:k]
        return values[order], every[order]

    def _above(self, vector: NDArray[np.float32], bound: float, k: int) -> dict[int, float]:
        """Return id -> score of the best windows above a bound.

        The best comes first. They are all, or so many that they are of at least k photos.
        """
        enough = len(REGIONS) * k
        # An exact index compares all vectors, whatever number is wanted; inverted lists read each candidate.
        wanted = enough if isinstance(self.index, VectorIndex) else k
        while True:
            scores, ids = (rows[0] for rows in self.index.search(vector[None], wanted, self.among))
            if len(ids) < wanted or scores[-1] <= bound or wanted >= enough:
                kept = scores > bound
                return dict(zip(ids[kept].tolist(), scores[kept].tolist(), strict=True))
            wanted = enough

    def of_photos(self, vector: NDArray[np.float32], images: Sequence[int]) -> dict[int, Window]:
        """Return photo id -> its best window, of some photos.

        Photos without windows are missing, and those that are newer than the index. Raises ``LibraryError``.
        """
        regions = self.reader.regions_of_images(images, self.model_id)
        there = np.fromiter(regions, dtype=np.int64)
        if not len(there):
            return {}
        scores, ids = (rows[0] for rows in self.index.search(vector[None], len(there), there))
        return self._best_of_each(dict(zip(ids.tolist(), scores.tolist(), strict=True)), regions)

    def _best_of_each(
        self, windows: Mapping[int, float], regions: Mapping[int, tuple[int, int]]
    ) -> dict[int, Window]:
        """Return photo id -> its best window. ``windows`` are id -> score, best first."""
        best: dict[int, Window] = {}
        for id_, score in windows.items():
            if id_ in regions:
                image, part = regions[id_]
                best.setdefault(image, Window(score - self.penalty, part))
        return best


def lifting(window: Window | None, score: float) -> int | None:
    """Return the part of the window that gave a photo this score.

    None if the photo as a whole did.
    """
    return None if window is None or window.score < score - _EQUAL else window.part


def pixel_box(part: int, width: int, height: int) -> PixelBox:
    """Return the place of a window in an upright photo."""
    left, top, right, bottom = REGIONS[part].box
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def place_name(box: Iterable[int], width: int, height: int) -> str:
    """Name the place of a box, such as "top left"."""
    left, top, right, bottom = box
    row = _PLACES[0][min(2, 3 * (top + bottom) // max(1, 2 * height))]
    column = _PLACES[1][min(2, 3 * (left + right) // max(1, 2 * width))]
    return "centre" if (row, column) == ("middle", "centre") else f"{row} {column}"
