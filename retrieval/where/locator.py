"""Phrases to places in photos."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preprocess import load_photo
from twobranch.indexer.disk.open import read_file
from twobranch.retrieval.encoders import check_known
from twobranch.retrieval.where.boxes import hot_parts
from twobranch.retrieval.where.heat_map import HeatMap, enlarged

_KEPT = 16  # photos that are kept, 2 MB each
# A phrase that is nowhere in the photo is looked for in windows of half its side, enlarged. A window counts
# from this probability on: with five more chances a thing that is not there would be found more often.
_IN_A_WINDOW = 0.7
# Rows and columns of their corners, in quarters of the side: the four quarters of the photo and its centre.
_WINDOWS = ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))

Edges: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the upright photo


@dataclass(frozen=True)
class Region:
    """A box in a photo, with the score of its best cell."""

    box: Edges
    score: float  # inner product of the phrase and the cell
    confidence: float  # the probability that the phrase is there (``CellScale``)

    def as_json(self) -> dict[str, Any]:
        """Return the region as JSON data."""
        return {
            "box": list(self.box),
            "score": round(self.score, 6),
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True)
class PhraseMap:
    """The places of a phrase in a photo."""

    phrase: str
    heat_map: HeatMap
    regions: tuple[Region, ...]  # the best first; none where nothing in the photo fits

    @property
    def score(self) -> float:
        """The score of the best cell."""
        return float(self.heat_map.scores.max())

    @property
    def confidence(self) -> float:
        """The probability that the photo shows the phrase anywhere."""
        return float(self.heat_map.heat.max())

    def as_json(self) -> dict[str, Any]:
        """Return the map as JSON data. The heat is rounded to two decimals."""
        return {
            "phrase": self.phrase,
            "score": round(self.score, 6),
            "confidence": round(self.confidence, 4),
            "regions": [region.as_json() for region in self.regions],
            "heat": [[round(float(value), 2) for value in row] for row in self.heat_map.heat],
        }


@dataclass(frozen=True)
class Located:
    """The phrases that were looked for in one photo."""

    width: int  # of the upright photo, in pixels
    height: int
    phrases: tuple[PhraseMap, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON data of ``where --json``, without the photo's path."""
        return {
            "width": self.width,
            "height": self.height,
            "phrases": [phrase.as_json() for phrase in self.phrases],
        }


@dataclass(frozen=True)
class _Opened:
    """A photo that was opened for locating."""

    width: int  # of the upright photo, in pixels
    height: int
    square: NDArray[np.uint8]  # (2 S, 2 S, 3)
    encoder: Encoder

    @cached_property
    def cells(self) -> NDArray[np.float32]:
        """The (h, w, D) cells of the whole photo."""
        side = self.encoder.image_size
        whole = Image.fromarray(self.square).resize((side, side), Image.Resampling.BICUBIC)
        return self.encoder.mean_cells(np.asarray(whole)[None])[0]

    @cached_property
    def windows(self) -> tuple[NDArray[np.float32], ...]:
        """The (h, w, D) cells of each window."""
        side = self.encoder.image_size
        corners = ((row * side // 2, column * side // 2) for row, column in _WINDOWS)
        parts = (self.square[top : top + side, left : left + side] for top, left in corners)
        return tuple(self.encoder.mean_cells(np.ascontiguousarray(part)[None])[0] for part in parts)


class Locator:
    """Finds phrases in photos with the cells of a model. Threads may share it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._recent: OrderedDict[bytes, _Opened] = OrderedDict()
        self._lock = Lock()

    def locate(
        self,
        photo: Path | bytes,
        phrases: Sequence[str],
        *,
        name: Path | str = "",
        language: str | None = None,
    ) -> Located:
        """Find each phrase in a photo.

        The photo is a path or a file's bytes. ``name`` is the name in errors of a photo given as bytes.
        Raises ``ImageError`` for a photo that cannot be read, ``ModelError`` for a model without cells, and
        ``UserError`` for a phrase without a known word.
        """
        for phrase in phrases:
            check_known(self._encoder, phrase, language)
        opened = self._open(photo, name)
        vectors = self._encoder.encode_texts(phrases, language)
        maps = tuple(self._phrase_map(opened, *pair) for pair in zip(phrases, vectors, strict=True))
        return Located(opened.width, opened.height, maps)

    def _open(self, photo: Path | bytes, name: Path | str) -> _Opened:
        """Decode a photo and encode its cells, unless that was done lately."""
        if isinstance(photo, bytes):
            data, name = photo, name or "image"
        else:
            data, name = read_file(photo), name or photo
        key = hashlib.sha256(data).digest()
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        decoded = load_photo(data, 2 * self._encoder.image_size, name=name)
        opened = _Opened(decoded.width, decoded.height, decoded.pixels, self._encoder)
        with self._lock:
            self._recent[key] = opened
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        return opened

    def _phrase_map(self, opened: _Opened, phrase: str, vector: NDArray[np.float32]) -> PhraseMap:
        heat_map = HeatMap.of(opened.cells @ vector, self._encoder.cell_scale)
        if not hot_parts(heat_map):
            heat_map = self._second_look(opened, heat_map, vector)
        regions = (
            Region(part.box.in_pixels(opened.width, opened.height), part.score, part.heat)
            for part in hot_parts(heat_map)
        )
        return PhraseMap(phrase, heat_map, tuple(regions))

    def _second_look(self, opened: _Opened, whole: HeatMap, vector: NDArray[np.float32]) -> HeatMap:
        """Look for a small thing in windows of a photo.

        Returns a map of twice as many rows and columns with the best window in it, or ``whole`` if no window
        shows the phrase.
        """
        maps = [HeatMap.of(cells @ vector, self._encoder.cell_scale) for cells in opened.windows]
        best = max(range(len(maps)), key=lambda at: float(maps[at].scores.max()))
        if maps[best].heat.max() < _IN_A_WINDOW:
            return whole
        height, width = whole.scores.shape
        scores = enlarged(whole.scores, 2 * height, 2 * width).copy()
        top, left = _WINDOWS[best][0] * height // 2, _WINDOWS[best][1] * width // 2
        scores[top : top + height, left : left + width] = maps[best].scores
        return HeatMap.of(scores, self._encoder.cell_scale)
