"""How often the hottest point of a map is in the right tile of a mosaic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twobranch.train.cells.mosaics import Mosaic


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
