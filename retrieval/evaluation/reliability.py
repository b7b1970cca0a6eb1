"""Reliability of confidence: how often first hits are right, by confidence.

Confidence is calibrated for queries of which half have no match (benchmarks/confidence.md). So each query of
a split is used twice: with the gallery, and with the gallery without its positives, where every hit is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import resolve_model
from twobranch.retrieval.confidence import SAMPLE, Calibration, QueryKind, features, n_words
from twobranch.retrieval.evaluation.explorer import Direction, Exploration

_MOST = 2000  # queries; they take half a second
_GROUPS = 10
_KINDS: dict[Direction, QueryKind] = {"text_to_image": "text_to_images", "image_to_text": "image_to_captions"}


@dataclass(frozen=True)
class Group:
    """First hits with confidences in the same range."""

    low: float  # the least confidence of the group
    high: float  # the upper limit of its confidences
    said: float  # the mean confidence
    right: float  # the share of right hits, 0..1
    hits: int


def reliability(
    exploration: Exploration, direction: Direction, estimated: Calibration | None = None
) -> list[Group] | None:
    """Group first hits by tenths of confidence.

    ``estimated`` is the calibration of a model that has none of its own. Empty tenths are left out. Returns
    None if the model is gone, or has no confidence for such queries. At most 2,000 queries are used, evenly
    spaced. Raises ``ModelError`` for a damaged calibration.
    """
    dim = exploration.queries(direction).index.dim
    calibration, kind = _calibration(exploration.model_name, dim) or estimated, _KINDS[direction]
    if calibration is None or kind not in calibration.fits:
        return None
    queries, outcome = exploration.queries(direction), exploration.outcomes[direction]
    rows = np.arange(0, len(queries.ids), -(-len(queries.ids) // _MOST))
    lengths = [1] * len(rows)
    if direction == "text_to_image":
        lengths = [n_words(exploration.texts[row]) for row in rows.tolist()]
    n_gallery = [len(exploration.gallery(direction).ids)] * len(rows)
    first = np.stack([outcome.best[rows], outcome.wrong[rows]], axis=1).astype(np.float64)
    gallery = exploration.gallery(direction)
    spread = np.unique(np.linspace(0, len(gallery.ids) - 1, SAMPLE).astype(np.int64))
    vectors = queries.vectors(rows)
    facts = calibration.background.facts(kind, vectors, vectors @ gallery.vectors(spread).T)
    confidences = calibration.fits[kind].probabilities(features(first, facts, n_gallery, lengths))
    right = np.stack([outcome.ranks[rows] == 1, np.zeros(len(rows), dtype=bool)], axis=1)
    return grouped(confidences[np.isfinite(first)], right[np.isfinite(first)])


def grouped(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Group]:
    """Group (Q,) confidences, 0..1, by tenths.

    ``right`` has (Q,) flags: True for a right hit.
    """
    tenths = np.minimum((confidences * _GROUPS).astype(np.int64), _GROUPS - 1)
    return [
        Group(
            tenth / _GROUPS,
            (tenth + 1) / _GROUPS,
            float(confidences[tenths == tenth].mean()),
            float(right[tenths == tenth].mean()),
            int((tenths == tenth).sum()),
        )
        for tenth in np.unique(tenths).tolist()
    ]


def _calibration(model: str, dim: int) -> Calibration | None:
    try:
        folder = resolve_model(model)
    except ModelError:
        return None
    return Calibration.load(folder, dim)
