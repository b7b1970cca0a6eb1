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
from PIL import Image

from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preprocess import load_photo, load_thumbnail
from twobranch.indexer.disk.open import read_file
from twobranch.retrieval.confidence import Bank, Calibration, SearchedGallery
from twobranch.retrieval.encoders import check_known
from twobranch.retrieval.where.background import load_background
from twobranch.retrieval.where.boxes import boxes
from twobranch.retrieval.where.heat_map import HeatMap

_SIDE = 960  # pixels of the longer side of the picture that boxes are cut from
_KEPT = 16  # photos that are kept open, 3 MB each
Edges: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the upright photo


@dataclass(frozen=True)
class Region:
    """A box in a photo, with the score of what it shows."""

    box: Edges
    score: float  # of the phrase with the part in the box, as if it were a photo
    confidence: float | None  # that this part matches; None if the model is not calibrated

    def as_json(self) -> dict[str, Any]:
        """Return the region as JSON data."""
        confidence = None if self.confidence is None else round(self.confidence, 4)
        return {"box": list(self.box), "score": round(self.score, 6), "confidence": confidence}


@dataclass(frozen=True)
class PhraseMap:
    """The places of a phrase in a photo."""

    phrase: str
    score: float  # of the phrase with the whole photo
    heat_map: HeatMap
    regions: tuple[Region, ...]  # the best first; none where nothing in the photo fits

    def as_json(self) -> dict[str, Any]:
        """Return the map as JSON data. The heat is rounded to two decimals."""
        return {
            "phrase": self.phrase,
            "score": round(self.score, 6),
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
    picture: Image.Image  # upright, at most ``_SIDE`` pixels a side
    cells: NDArray[np.float32]  # (h, w, D) unit vectors
    whole: NDArray[np.float32]  # (D,)


class Locator:
    """Finds phrases in photos with the cells of a model. Threads may share it."""

    def __init__(self, encoder: Encoder, calibration: Calibration | None = None) -> None:
        self._encoder = encoder
        self._calibration = calibration
        self._recent: OrderedDict[bytes, _Opened] = OrderedDict()
        self._lock = Lock()
        self._cells: Bank | None = None  # of other photos

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
        opened = _Opened(
            square.width,
            square.height,
            load_thumbnail(data, _SIDE, name=name),
            self._encoder.encode_cells([Image.fromarray(square.pixels)])[0],
            self._encoder.encode_pixels(square.pixels[None])[0],
        )
        with self._lock:
            self._recent[key] = opened
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        return opened

    def _background(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of a (D,) phrase with cells of other photos."""
        if self._cells is None:
            self._cells = load_background(self._encoder.folder, self._encoder.dim)
        return self._cells.scores(vector[None])[0]

    def _confidence(self, phrase: str, vector: NDArray[np.float32], score: float) -> float | None:
        """Return the probability that a photo with this score matches."""
        if self._calibration is None:
            return None
        alone = SearchedGallery(1, np.empty((0, len(vector)), np.float32))
        found = self._calibration.confidences("text_to_images", vector, phrase, [score], alone)
        return None if found is None else float(found[0])

    def _phrase_map(self, opened: _Opened, phrase: str, vector: NDArray[np.float32]) -> PhraseMap:
        heat_map = HeatMap.of(opened.cells @ vector, self._background(vector))
        found = [box.in_pixels(opened.width, opened.height) for box in boxes(heat_map)]
        regions = self._regions(opened, found, phrase, vector)
        return PhraseMap(phrase, float(opened.whole @ vector), heat_map, regions)

    def _regions(
        self,
        opened: _Opened,
        found: Sequence[Edges],
        phrase: str,
        vector: NDArray[np.float32],
    ) -> tuple[Region, ...]:
        """Encode the parts in boxes as photos, the best first."""
        if not found:
            return ()
        scale = opened.picture.width / opened.width
        parts = [opened.picture.crop(_scaled(box, scale)) for box in found]
        scores = self._encoder.encode_images(parts) @ vector
        order = np.argsort(-scores, kind="stable")
        return tuple(
            Region(found[at], float(scores[at]), self._confidence(phrase, vector, float(scores[at])))
            for at in order
        )


def _scaled(box: Edges, scale: float) -> Edges:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    return left, top, max(right, left + 1), max(bottom, top + 1)
