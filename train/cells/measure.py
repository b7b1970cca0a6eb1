"""Measures of cells: right peaks in mosaics, and the scale of scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.cell_scale import CellScale
from twobranch.train.cells.mosaics import Mosaic

_STEPS = 50  # of Newton's method; it converges in about ten
_STIFFNESS = 1e-3  # of the penalty on the slope, which keeps it finite where no scores overlap


def peak_is_right(heat: NDArray[np.floating], mosaic: Mosaic, tile: int, side: int) -> bool:
    """Return True if the hottest cell's centre is in a tile.

    ``heat`` is (h, w) over a picture of ``side`` pixels. A point belongs to the tile that is seen there.
    """
    row, column = divmod(int(np.argmax(heat)), heat.shape[1])
    y, x = (row + 0.5) * side / heat.shape[0], (column + 0.5) * side / heat.shape[1]
    seen = [
        number
        for number, (left, top, right, bottom) in enumerate(mosaic.tiles)
        if left <= x < right and top <= y < bottom
    ]
    return bool(seen) and seen[-1] == tile


def peak_accuracy(
    cells: NDArray[np.float32],
    mosaics: Sequence[Mosaic],
    asked: Sequence[tuple[int, int, NDArray[np.float32]]],
    side: int,
) -> float:
    """Return the percentage of right peaks.

    ``cells`` are (N, h, w, D) of the mosaics; ``asked`` has mosaic, tile and (D,) vector of each question.
    """
    right = [peak_is_right(cells[at] @ vector, mosaics[at], tile, side) for at, tile, vector in asked]
    return 100 * float(np.mean(right)) if right else 0.0


def fitted_scale(shown: NDArray[np.floating], other: NDArray[np.floating]) -> CellScale:
    """Fit a logistic regression to scores of best cells.

    ``shown`` (n,) are of photos that show a phrase, ``other`` (m,) of photos that need not; both sides weigh
    the same. The method is Newton's, with a small penalty on the slope.
    """
    scores = np.concatenate([shown, other]).astype(np.float64)
    truth = np.concatenate([np.ones(len(shown)), np.zeros(len(other))])
    weights = np.concatenate([np.full(len(shown), 0.5 / len(shown)), np.full(len(other), 0.5 / len(other))])
    middle, spread = scores.mean(), scores.std() or 1.0
    x = np.stack([np.ones_like(scores), (scores - middle) / spread], axis=1)
    penalty = np.diag([0.0, _STIFFNESS])
    found = np.zeros(2)
    for _ in range(_STEPS):
        probability = 0.5 * (1 + np.tanh(x @ found / 2))
        gradient = x.T @ (weights * (probability - truth)) + penalty @ found
        curvature = (x.T * (weights * probability * (1 - probability))) @ x + penalty
        found = found - np.linalg.lstsq(curvature, gradient, rcond=None)[0]
    slope = max(float(found[1]), 1e-3)  # scores that say nothing get a flat scale
    return CellScale(float(middle - found[0] / slope * spread), slope / float(spread))
