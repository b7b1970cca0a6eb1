"""Calibrations whose confidences a reader can compute: the logit is a line through the score alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twobranch.retrieval.confidence import FEATURES, Background, Bank, Calibration, Fit, QueryKind


def line(
    constant: float = -4, slope: float = 8, *, weak: float = 0.5, likely: float = 0.5, **others: float
) -> Fit:
    """A fit with the logit ``constant + slope * score``: a score of 0.5 is even.

    ``others`` are weights of further features by name, spaces as underscores.
    """
    weights = [slope if name == "score" else others.get(name.replace(" ", "_"), 0.0) for name in FEATURES]
    return Fit(
        np.array([constant, *weights], dtype=np.float64),
        np.ones(1),
        np.ones(1),
        np.full((1, 1), weak),
        np.array([likely]),
    )


def axes(dim: int = 4, n: int | None = None) -> Background:
    """A background of photos along the first ``n`` axes, each with one caption in the same direction."""
    bank = Bank.of(np.eye(dim, dtype=np.float32)[:n])
    return Background(bank, bank, np.arange(len(bank.rows)))


def calibrated(fit: Fit | None = None, kinds: Sequence[QueryKind] = ("text_to_images",)) -> Calibration:
    """A calibration of 4-D vectors with one fit for all ``kinds``."""
    return Calibration(axes(), dict.fromkeys(kinds, fit or line()))
