"""Hits that show almost the same, folded into one: by their vectors alone, no file is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Cosine of two photos' vectors, from benchmarks/duplicates.md. With less, two weddings would soon be one
# hit: the vectors know topics better than moments, so of bursts only the closest frames fold.
ALIKE = 0.95
# A hit is compared with so many kept ones above it, at most: copies score nearly the same, so their ranks are
# near; and a list of 100,000 hits takes seconds so, not minutes.
_WITHIN = 1000


@dataclass(frozen=True)
class Fold:
    """A hit that is kept and those that are folded under it, as positions among the ranked hits."""

    kept: int
    alike: tuple[int, ...] = ()


def folds(vectors: NDArray[np.float32], alike: float = ALIKE) -> list[Fold]:
    """Groups of ranked hits by their (k, D) float32 unit rows, best first.

    A hit goes under the first kept hit whose cosine with it is at least ``alike``, else it is kept itself:
    everything folded is like the hit that is shown, not only like something like it.
    """
    kept: list[int] = []
    under: dict[int, list[int]] = {}
    leaders = np.empty_like(vectors)  # the rows of the kept ones, so that one product compares with all
    for position, vector in enumerate(vectors):
        start = max(0, len(kept) - _WITHIN)
        close = np.flatnonzero(leaders[start : len(kept)] @ vector >= alike)
        if len(close):
            under[kept[start + close[0]]].append(position)
        else:
            leaders[len(kept)] = vector
            kept.append(position)
            under[position] = []
    return [Fold(position, tuple(under[position])) for position in kept]
