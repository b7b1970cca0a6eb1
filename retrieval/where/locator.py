"""Phrases to places in photos."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preprocess import load_photo
from twobranch.indexer.disk.open import read_file
from twobranch.retrieval.encoders import check_known
from twobranch.retrieval.where.boxes import hot_parts
from twobranch.retrieval.where.heat_map import HeatMap

_KEPT = 64  # photos whose cells are kept, 0.2 MB each

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
    cells: NDArray[np.float32]  # (h, w, D), see ``Encoder.mean_cells``


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
        square = load_photo(data, self._encoder.image_size, name=name)
        cells = self._encoder.mean_cells(square.pixels[None])[0]
        opened = _Opened(square.width, square.height, cells)
        with self._lock:
            self._recent[key] = opened
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        return opened

    def _phrase_map(self, opened: _Opened, phrase: str, vector: NDArray[np.float32]) -> PhraseMap:
        heat_map = HeatMap.of(opened.cells @ vector, self._encoder.cell_scale)
        regions = (
            Region(part.box.in_pixels(opened.width, opened.height), part.score, part.heat)
            for part in hot_parts(heat_map)
        )
        return PhraseMap(phrase, heat_map, tuple(regions))
