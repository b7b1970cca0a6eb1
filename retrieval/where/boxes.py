"""Boxes around the hot parts of a heat map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.retrieval.where.heat_map import HeatMap, enlarged

_FINER = 4  # cells are divided so often along each side before boxes are drawn
_SHARE = 0.55  # of the way from the usual score of a map to its highest: a box is around what is above
_LEAST_HEAT = 0.2  # a part that is nowhere hotter has no box
_MOST = 3  # boxes of a map
_LEAST_AREA = 0.5  # cells that a part after the first covers: smaller ones are the edges of something else


@dataclass(frozen=True)
class Box:
    """A rectangle in shares of the photo's width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def in_pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in pixels.

        The box is at least one pixel wide and high.
        """
        left, top = int(self.left * width), int(self.top * height)
        right, bottom = round(self.right * width), round(self.bottom * height)
        return left, top, min(width, max(right, left + 1)), min(height, max(bottom, top + 1))


@dataclass(frozen=True)
class HotPart:
    """A box around a hot part of a map.

    ``score`` and ``heat`` are those of its hottest cell.
    """

    box: Box
    score: float
    heat: float


def hot_parts(heat_map: HeatMap) -> list[HotPart]:
    """Return the hot parts of a map, the hottest first. A cold map has none."""
    rows, columns = (_FINER * side for side in heat_map.scores.shape)
    scores = enlarged(heat_map.scores, rows, columns)
    # The middle score is that of the ground, unless the thing fills most of the photo.
    usual, highest = min(float(np.median(heat_map.scores)), heat_map.cold), float(scores.max())
    left_over = scores >= usual + _SHARE * (highest - usual)
    found: list[HotPart] = []
    while len(found) < _MOST and left_over.any():
        start = int(np.where(left_over, scores, -np.inf).argmax())
        part = _connected(left_over, divmod(start, columns))
        left_over &= ~part
        if found and part.sum() < _LEAST_AREA * _FINER**2:
            continue
        hottest = _hottest_cell(heat_map, part)
        if heat_map.heat[hottest] < _LEAST_HEAT:
            break
        ys, xs = np.nonzero(part)
        box = Box(
            float(xs.min()) / columns,
            float(ys.min()) / rows,
            float(xs.max() + 1) / columns,
            float(ys.max() + 1) / rows,
        )
        found.append(HotPart(box, float(heat_map.scores[hottest]), float(heat_map.heat[hottest])))
    return found


def _hottest_cell(heat_map: HeatMap, part: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the hottest cell that a part touches, as row and column."""
    height, width = heat_map.heat.shape
    touched = part.reshape(height, _FINER, width, _FINER).any(axis=(1, 3))
    row, column = divmod(int(np.where(touched, heat_map.heat, -1).argmax()), width)
    return row, column


def _connected(hot: NDArray[np.bool_], start: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the part of ``hot`` that is connected with ``start``.

    Both are (H, W) bool. Cells are connected by their sides.
    """
    part = np.zeros_like(hot)
    part[start] = True
    while True:
        grown = part.copy()
        grown[1:] |= part[:-1]
        grown[:-1] |= part[1:]
        grown[:, 1:] |= part[:, :-1]
        grown[:, :-1] |= part[:, 1:]
        grown &= hot
        if (grown == part).all():
            return part
        part = grown
