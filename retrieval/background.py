"""Confidence of a model without calibration, from background texts.

A calibration needs captioned photos. Without them two things are known of a model: its scores of everyday
texts (``data/background.txt``) with the photos of the library, and its scores between these photos. No text
belongs to a photo, so this tells how scores are distributed, not which hits are right.

Models differ in the level and the spread of their scores. So scores are put on one scale: 0 is the mean
score, 1 the score that one text in a hundred has with a photo. On this scale the probability of a hit is that
of the shipped model, whose right answers are known (``train.output.background_fits``). Features that need
pairs of photos and captions are left out, and so are high scores with the photos: right answers are among
these.

``benchmarks/confidence.md`` has the error of it.

Scores that were chosen on the shipped model (the bonus of words, the penalty of windows, the limits of
pictures of text and of near-duplicates) are converted to those of another model by the same scales.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.retrieval.confidence import FEATURES, Background, Bank, Calibration, Fit, QueryKind

_DATA = Path(__file__).parent / "data"
TEXTS = _DATA / "background.txt"  # one a line, written for this program
FITS = _DATA / "background-fits.json"  # on the common scale; train.output.background_fits writes it
KINDS: tuple[QueryKind, ...] = ("text_to_images", "image_to_captions", "image_to_images")

# The features that rise by 1 if all scores do, and the one that grows with their spread only.
_LEVELS = ("score", "own low", "own middle", "own high")
_SPREADS = ("own spread",)
_PLAIN = ("log n", "log length", "log n * log length")
_PRODUCTS = tuple((log, level) for log in ("log n", "log length") for level in ("score", "own middle"))


_HIGH = 0.99  # a quantile, not the best: near-duplicates of a photo say nothing of others
_LEAST_UNIT = 1e-4


@dataclass(frozen=True)
class Scale:
    """The scores that mean 0 and 1 on the common scale."""

    level: float
    unit: float  # above 0

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """The map of features to those on the common scale.

        It is (1 + F, 1 + F), for features after a 1. Those that are not used become 0.
        """
        at = {name: 1 + column for column, name in enumerate(FEATURES)}
        found = np.zeros((1 + len(FEATURES), 1 + len(FEATURES)))
        found[0, 0] = 1
        for name in _PLAIN:
            found[at[name], at[name]] = 1
        for name in (*_LEVELS, *_SPREADS):
            found[at[name], at[name]] = 1 / self.unit
        for name in _LEVELS:
            found[at[name], 0] = -self.level / self.unit
        for log, name in _PRODUCTS:
            product = at[f"{log} * {name}"]
            found[product, product] = 1 / self.unit
            found[product, at[log]] = -self.level / self.unit
        return found

    def standardised(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put (R, F) features of a model on the common scale."""
        return np.asarray(features @ self.matrix[1:, 1:].T + self.matrix[1:, 0])

    def for_scores(self, fit: Fit) -> Fit:
        """Turn a fit on the common scale into one of raw features."""
        return replace(fit, weights=self.matrix.T @ fit.weights)


# Of the shipped model, with the 1,000 photos of its calibration: people, rooms, streets, landscapes, things.
_SHIPPED_TEXTS = Scale(level=0.071, unit=0.247)
_SHIPPED_PHOTOS = Scale(level=0.124, unit=0.435)


@dataclass(frozen=True)
class ScoreScales:
    """A model's scales, to convert scores of the shipped model.

    Without arguments they are those of the shipped model, which change nothing, to the last bit.
    """

    texts: Scale = _SHIPPED_TEXTS  # of sentences with photos
    photos: Scale = _SHIPPED_PHOTOS  # of photos with photos

    @property
    def text_factor(self) -> float:
        """The spread of scores of sentences, in that of the shipped model."""
        return self.texts.unit / _SHIPPED_TEXTS.unit

    @property
    def photo_factor(self) -> float:
        """The spread of scores between photos, in that of the shipped model."""
        return self.photos.unit / _SHIPPED_PHOTOS.unit

    def text_score(self, shipped: float) -> float:
        """Convert a score of a sentence with a photo."""
        factor = self.text_factor
        return self.texts.level - factor * _SHIPPED_TEXTS.level + factor * shipped

    def near_cosine(self, shipped: float) -> float:
        """Convert a cosine of photos that are almost the same.

        Equal photos have a cosine of 1 for every model. So what is missing to 1 is in proportion to what
        unrelated photos miss; the unit would give cosines above 1.
        """
        return 1 - (1 - shipped) * ((1 - self.photos.level) / (1 - _SHIPPED_PHOTOS.level))

    def of(self, kind: QueryKind) -> Scale:
        """Return the scale of the scores of a kind of query."""
        return self.photos if kind == "image_to_images" else self.texts


def scales_of(texts: NDArray[np.float32], photos: NDArray[np.float32]) -> ScoreScales:
    """Return the scales of a model by its vectors.

    ``texts`` are the (T, D) background texts, ``photos`` (P, D) of the library. Raises ``ValueError`` as
    ``scale_of`` does.
    """
    return ScoreScales(scale_of("text_to_images", texts, photos), scale_of("image_to_images", texts, photos))


def scale_of(kind: QueryKind, texts: NDArray[np.float32], photos: NDArray[np.float32]) -> Scale:
    """Return the scale of a model's scores.

    ``texts`` are (T, D) and ``photos`` (P, D) unit rows of the model. Raises ``ValueError`` for a model that
    gives all of them the same score.
    """
    if kind == "image_to_images":
        scores = photos @ photos.T
        scores = scores[~np.eye(len(photos), dtype=bool)].reshape(len(photos), len(photos) - 1)
    else:
        scores = photos @ texts.T
    level = float(scores.mean())
    unit = float(np.quantile(scores, _HIGH, axis=1).mean()) - level
    if not unit > _LEAST_UNIT:
        raise ValueError(f"scores from {scores.min()} to {scores.max()} have no scale")
    return Scale(level, unit)


def background_texts() -> list[str]:
    """Return the background texts."""
    return TEXTS.read_text(encoding="utf-8").splitlines()


def background_of(texts: NDArray[np.float32], photos: NDArray[np.float32]) -> Background:
    """Return the background of a library.

    ``photos`` are (P, D) of the library, ``texts`` (T, D) that belong to none of them.
    """
    return Background(Bank.of(photos), Bank.of(texts), np.zeros(len(texts), dtype=np.int64))


def background_calibration(texts: NDArray[np.float32], photos: NDArray[np.float32]) -> Calibration:
    """Return the calibration of a model by its vectors.

    ``texts`` are the (T, D) background texts, ``photos`` (P, D) of the library. Raises ``ValueError`` as
    ``scale_of`` does.
    """
    scales = scales_of(texts, photos)
    fits = {kind: scales.of(kind).for_scores(fit) for kind, fit in read_fits().items()}
    return Calibration(background_of(texts, photos), fits, "background")


def read_fits() -> dict[QueryKind, Fit]:
    """Return the shipped fits on the common scale."""
    stored = json.loads(FITS.read_text(encoding="utf-8"))
    return {
        kind: Fit(
            np.array([one["weights"].get(name, 0.0) for name in ("constant", *FEATURES)]),
            *(np.array(one[name], dtype=np.float64) for name in ("sizes", "lengths", "weak", "likely")),
        )
        for kind, one in stored.items()
    }


def fits_text(fits: Mapping[QueryKind, Fit]) -> str:
    """Return fits as the text of their file."""
    stored = {
        kind: {
            "weights": {
                name: _rounded(weight)
                for name, weight in zip(("constant", *FEATURES), fit.weights.tolist(), strict=True)
                if weight
            },
            **{
                name: _rounded(getattr(fit, name).tolist()) for name in ("sizes", "lengths", "weak", "likely")
            },
        }
        for kind, fit in fits.items()
    }
    return json.dumps(stored, indent=1) + "\n"


def _rounded(value: Any) -> Any:
    """Return a number, or nested lists of them, with five digits."""
    return [_rounded(one) for one in value] if isinstance(value, list) else float(f"{value:.5g}")
