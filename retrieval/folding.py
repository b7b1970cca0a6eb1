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
_BLOCK = 256  # hits that are compared in one product: a product for each takes five times as long


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
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        others = [*kept[-_WITHIN:], *range(start, start + len(block))]
        close = block @ vectors[others].T >= alike
        above = len(others) - len(block)
        close[:, above:] = np.tril(close[:, above:], -1)  # of the block itself only what is above
        has_any = close.any(axis=1)
        for row, position in enumerate(range(start, start + len(block))):
            # What is above may be under another one, or too far above by now.
            oldest = kept[-_WITHIN] if len(kept) >= _WITHIN else 0
            near = np.flatnonzero(close[row]).tolist() if has_any[row] else []
            leader = next((others[at] for at in near if others[at] in under and others[at] >= oldest), None)
            if leader is None:
                kept.append(position)
                under[position] = []
            else:
                under[leader].append(position)
    return [Fold(position, tuple(under[position])) for position in kept]
