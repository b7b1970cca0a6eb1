"""Heat maps: probabilities that parts of a photo show a phrase."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.cell_scale import CellScale

_COLD = 0.05  # the probability at which heat begins


@dataclass(frozen=True)
class HeatMap:
    """A phrase's scores with the cells of a photo, and their heat.

    The heat is the same for all photos and phrases, so a photo without the thing has a cold map.
    """

    scores: NDArray[np.float32]  # (h, w) inner products
    heat: NDArray[np.float32]  # (h, w) probabilities (``CellScale``)
    cold: float = math.inf  # the score at which heat begins

    @classmethod
    def of(cls, scores: NDArray[np.float32], scale: CellScale) -> HeatMap:
        """Make the map of (h, w) scores."""
        return cls(scores, scale.probabilities(scores), scale.score(_COLD))

    def enlarged(self, height: int, width: int) -> NDArray[np.float32]:
        """Return the heat as (height, width) values, interpolated smoothly."""
        return np.clip(enlarged(self.heat, height, width), 0, 1)


def enlarged(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Interpolate an (h, w) map to (height, width)."""
    from PIL import Image

    size = (width, height)
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
