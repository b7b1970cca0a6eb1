"""Heat maps: how well each part of a photo fits a phrase.

A map has one value for each cell of a grid over the photo, from 0 (like parts of any other photo) to 1 (as
good as parts get). The scale is the same for all photos and phrases, so a photo without the thing has a cold
map: scores are compared with the scores that the phrase has with the cells of background photos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Standard deviations above the mean score of background cells at which heat begins and ends.
_COLD, _HOT = 1.0, 6.0


@dataclass(frozen=True)
class HeatMap:
    """A phrase's scores with the cells of a photo, and their heat."""

    scores: NDArray[np.float32]  # (h, w) inner products
    heat: NDArray[np.float32]  # (h, w) from 0 to 1

    @classmethod
    def of(cls, scores: NDArray[np.float32], background: NDArray[np.float32]) -> HeatMap:
        """Make the map of (h, w) scores.

        ``background`` are the (B,) scores of the same phrase with cells of other photos.
        """
        level, spread = float(background.mean()), max(float(background.std()), 1e-6)
        heat = ((scores - level) / spread - _COLD) / (_HOT - _COLD)
        return cls(scores, np.clip(heat, 0, 1).astype(np.float32))

    def enlarged(self, height: int, width: int) -> NDArray[np.float32]:
        """Return the heat as (height, width) values, interpolated smoothly."""
        from PIL import Image

        image = Image.fromarray(self.heat).resize((width, height), Image.Resampling.BICUBIC)
        return np.clip(np.asarray(image), 0, 1)
