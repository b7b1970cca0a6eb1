"""The probability behind the score of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CellScale:
    """A logistic function of scores.

    It gives the probability that a photo shows a phrase, from the score of the best cell, where half of the
    phrases are shown. Cells are trained against each other across photos, so one scale serves all phrases.
    """

    middle: float  # the score at which a phrase is as often shown as not
    slope: float  # of the logit, by unit of the score; above 0

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for numbers that make no scale.

        They are not finite, or the slope is not above 0.
        """
        if not (np.isfinite(self.middle) and np.isfinite(self.slope) and self.slope > 0):
            raise ValueError(f"a scale of middle {self.middle} and slope {self.slope}")

    @classmethod
    def of(cls, data: Any) -> CellScale:
        """Read the output of ``as_json``. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
        return cls(float(data["middle"]), float(data["slope"]))

    def as_json(self) -> dict[str, float]:
        """Return the JSON data of ``config.json``."""
        return {"middle": self.middle, "slope": self.slope}

    def score(self, probability: float) -> float:
        """Return the score that has this probability."""
        return self.middle + float(np.log(probability / (1 - probability))) / self.slope

    def probabilities(self, scores: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the probability for each score, in the same shape."""
        logits = self.slope * (np.asarray(scores, dtype=np.float64) - self.middle)
        return np.asarray(0.5 * (1 + np.tanh(logits / 2)), dtype=np.float32)  # the logistic, without overflow
