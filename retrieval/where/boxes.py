"""Boxes around the hot parts of a heat map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.retrieval.where.heat_map import HeatMap

_FINER = 4  # cells are divided so often along each side before boxes are drawn
_SHARE = 0.5  # of the hottest value: a box goes around what is at least as hot
_LEAST_HEAT = 0.15  # a map without a hotter cell has no boxes
_MOST = 3  # boxes of a map


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


def boxes(heat_map: HeatMap) -> list[Box]:
    """Return boxes around the hot parts, the hottest first.

    A cold map has none.
    """
    rows, columns = (_FINER * side for side in heat_map.heat.shape)
    heat = heat_map.enlarged(rows, columns)
    hottest = float(heat.max())
    if hottest < _LEAST_HEAT:
        return []
    left_over = heat >= _SHARE * hottest
    found: list[Box] = []
    while len(found) < _MOST and left_over.any():
        start = int(np.where(left_over, heat, -1).argmax())
        part = _connected(left_over, divmod(start, columns))
        left_over &= ~part
        ys, xs = np.nonzero(part)
        found.append(
            Box(
                float(xs.min()) / columns,
                float(ys.min()) / rows,
                float(xs.max() + 1) / columns,
                float(ys.max() + 1) / rows,
            )
        )
    return found


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
