"""From scores to the probability that a hit really matches; NumPy only.

A cosine means nothing by itself: it has another level for each query and for each kind of query, and the
best of many photos scores high by chance. So the logit of "this hit matches" is linear in the score, in
where the query's scores lie against a *bank* of training photos (or captions) that have nothing to do with
it, in the logarithm of the gallery's size, alone and with score and bank, and in the length of a sentence:
a large gallery has many answers to "dog", one to a caption. All that changes between the hits of one query
is the score, whose slope is never negative: confidence never contradicts the order of hits. Nothing is
taken from the other hits: a burst of near-duplicates, or a hundred right answers, make no hit less likely.

``train.output.calibrate`` fits it; ``benchmarks/confidence.md`` has what was tried and what it reaches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import CALIBRATION, first_line

QueryKind = Literal["text_to_images", "image_to_captions", "image_to_images", "text_to_captions"]
QUERY_KINDS: tuple[QueryKind, ...] = get_args(QueryKind)

_TOP_SHARES = (0.01, 0.05, 0.25)  # of the bank, whose mean scores tell how high chance reaches
N_BACKGROUND = 2 + len(_TOP_SHARES)
# Of a hit; n is the size of the gallery, length the number of a sentence's words.
FEATURES = ("score", "mean", "sd", *(f"top {share:.0%}" for share in _TOP_SHARES), "log n", "log length")
FEATURES += (
    "log n * score",
    "log n * top 1%",
    "log length * score",
    "log length * top 1%",
    "log n * log length",
)
# Whose weights must not be negative: with both logarithms >= 0 the logit then never falls with the score.
RISING = tuple(column for column, name in enumerate(FEATURES) if name.endswith("score"))
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Bank:
    """Training embeddings to compare a query with, int8 with one scale a row: a quarter of the size, and
    scores within 0.002 of float32's."""

    rows: NDArray[np.int8]  # (B, D)
    scales: NDArray[np.float32]  # (B,)

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Bank:
        """The bank of (B, D) float32 unit rows."""
        scales = np.maximum(np.abs(vectors).max(axis=1), 1e-12).astype(np.float32) / 127
        return cls(np.rint(vectors / scales[:, None]).astype(np.int8), scales)

    def fault(self, dim: int) -> str | None:
        """The fault that keeps it from being a bank of ``dim`` numbers a row, if any."""
        rows, scales = self.rows, self.scales
        if rows.ndim != 2 or rows.dtype != np.int8 or rows.shape[1] != dim or not len(rows):
            return f"a bank is {rows.dtype} of {rows.shape}, and the model's vectors have {dim} numbers"
        if scales.shape != rows.shape[:1] or scales.dtype != np.float32 or not np.isfinite(scales).all():
            return (
                f"a bank of {rows.shape} has scales that are {scales.dtype} of {scales.shape}, or not finite"
            )
        return None

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """(B, D): to make them takes longer than to compare a query with them."""
        return np.asarray(self.rows.astype(np.float32) * self.scales[:, None])

    def background(self, queries: NDArray[np.float32]) -> NDArray[np.float64]:
        """(Q, 5): mean and standard deviation of each query's scores with the bank, and the mean of its
        highest 1, 5 and 25%. ``queries`` are (Q, D) float32 unit rows."""
        scores = queries @ self._vectors.T
        scores.sort(axis=1)
        counts = [max(1, round(share * scores.shape[1])) for share in _TOP_SHARES]
        columns = [scores.mean(axis=1), scores.std(axis=1)]
        columns += [scores[:, -count:].mean(axis=1) for count in counts]
        return np.stack(columns, axis=1).astype(np.float64)


@dataclass(frozen=True)
class Fit:
    """The fitted weights and limits of one kind of query."""

    weights: NDArray[np.float64]  # (1 + len(FEATURES),), the constant first
    sizes: NDArray[np.float64]  # (S,) of galleries, rising
    lengths: NDArray[np.float64]  # (L,) of queries in words, rising; one for photos
    weak: NDArray[np.float64]  # (L, S) a best hit below this is no match

    def fault(self) -> str | None:
        """The fault in its numbers, if any."""
        if any(array.dtype != np.float64 or not np.isfinite(array).all() for array in vars(self).values()):
            return "a fit is not of finite float64"
        axes = (self.lengths, self.sizes)
        if any(axis.ndim != 1 or not len(axis) or axis[0] < 1 or (np.diff(axis) < 0).any() for axis in axes):
            return "sizes or lengths do not rise from 1 or more"
        if self.weak.shape != (len(self.lengths), len(self.sizes)):
            return f"limits of {self.weak.shape} for {len(self.lengths)} lengths and {len(self.sizes)} sizes"
        if not ((self.weak >= 0) & (self.weak <= 1)).all():
            return "limits that are no probabilities"
        return None

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(...,) probabilities for (..., F) features."""
        logits = self.weights[0] + features @ self.weights[1:]
        return np.asarray(0.5 * (1 + np.tanh(logits / 2)))  # the logistic function, without overflow

    def weak_below(self, n_gallery: float, length: float = 1) -> float:
        """The confidence that the best hit must reach: its logit is linear in log size and log length between
        those that were measured, and goes on beyond the largest gallery as it fell before."""
        x, logits = np.log(self.sizes), np.log(self.weak / (1 - self.weak))
        at = np.log(max(n_gallery, 1))
        of_lengths = np.array([np.interp(at, x, row) for row in logits])
        if at > x[-1] and len(x) > 2:
            of_lengths += np.minimum(0, (logits[:, -1] - logits[:, -3]) / (x[-1] - x[-3])) * (at - x[-1])
        logit = np.interp(np.log(max(length, 1)), np.log(self.lengths), of_lengths)
        return float(1 / (1 + np.exp(-logit)))


@dataclass(frozen=True)
class Calibration:
    """Banks and fits of one model."""

    images: Bank
    captions: Bank
    fits: Mapping[QueryKind, Fit]

    def confidences(
        self, kind: QueryKind, query: NDArray[np.float32], text: str | None, scores: ArrayLike, n_gallery: int
    ) -> NDArray[np.float64] | None:
        """(k,) probabilities that hits with these (k,) scores match the (D,) query, in a gallery of
        ``n_gallery``; None when there is no fit for this kind of query. ``text`` is that of a sentence."""
        if kind not in self.fits:
            return None
        background = self.bank(kind).background(query[None])
        wide = np.asarray(scores, dtype=np.float64)[None]
        length = 1 if text is None else n_words(text)
        return self.fits[kind].probabilities(features(wide, background, [n_gallery], [length]))[0]

    def bank(self, kind: QueryKind) -> Bank:
        """The bank on the side that this kind of query searches."""
        return self.images if kind.endswith("_images") else self.captions

    def matches_well(self, kind: QueryKind, text: str | None, best: float, n_gallery: int) -> bool:
        """True if a best hit of this confidence is a likely match."""
        return kind in self.fits and best >= self.weakest(kind, text, n_gallery)

    def weakest(self, kind: QueryKind, text: str | None, n_gallery: int) -> float:
        """The least confidence of a best hit that is a likely match.

        Below it are the weakest 5% of the first hits that were right on dev, for queries of this length in
        galleries of this size.
        """
        return self.fits[kind].weak_below(n_gallery, 1 if text is None else n_words(text))

    def save(self, folder: Path) -> None:
        """Write ``calibration.npz`` into the model folder; equal calibrations give equal bytes."""
        arrays: dict[str, NDArray[Any]] = {}
        for side, bank in (("images", self.images), ("captions", self.captions)):
            arrays |= {f"{side}/rows": bank.rows, f"{side}/scales": bank.scales}
        for kind, fit in self.fits.items():
            arrays |= {f"{kind}/{name}": value for name, value in vars(fit).items()}
        np.savez(folder / CALIBRATION, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, folder: Path, dim: int) -> Calibration | None:
        """The calibration in the folder of a model whose vectors have ``dim`` numbers, None where it has
        none. Raises ``ModelError``."""
        path = folder / CALIBRATION
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                banks = [
                    Bank(file[f"{side}/rows"], file[f"{side}/scales"]) for side in ("images", "captions")
                ]
                fits = {
                    kind: Fit(*(file[f"{kind}/{name}"] for name in ("weights", "sizes", "lengths", "weak")))
                    for kind in QUERY_KINDS
                    if f"{kind}/weights" in file
                }
        except Exception as error:  # NumPy and zipfile raise what they like on what is none of theirs
            raise ModelError(f"{path}: damaged ({first_line(error)}); copy the model folder again") from None
        if any(fit.weights.shape != (1 + len(FEATURES),) for fit in fits.values()):
            raise ModelError(
                f"{path}: not of this version; refit it with `python -m twobranch.train.output.calibrate`"
            )
        faults = [bank.fault(dim) for bank in banks] + [fit.fault() for fit in fits.values()]
        if fault := next(filter(None, faults), None):
            raise ModelError(f"{path}: {fault}; refit it with `python -m twobranch.train.output.calibrate`")
        return cls(banks[0], banks[1], fits)


def n_words(text: str) -> int:
    """Count the words of a sentence, at least 1."""
    return max(1, len(_WORD.findall(text)))


def features(
    scores: NDArray[np.float64], background: NDArray[np.float64], n_gallery: ArrayLike, lengths: ArrayLike
) -> NDArray[np.float64]:
    """(Q, k, F) from (Q, k) scores, (Q, 5) backgrounds, (Q,) gallery sizes and (Q,) lengths in words."""
    log_n, log_length = (
        np.log(np.maximum(np.asarray(numbers, dtype=np.float64), 1))[:, None]
        for numbers in (n_gallery, lengths)
    )
    columns = [scores, *background.T[:, :, None], log_n, log_length]
    top = background[:, 2:3]
    columns += [log_n * scores, log_n * top, log_length * scores, log_length * top, log_n * log_length]
    return np.stack([np.broadcast_to(column, scores.shape) for column in columns], axis=-1)
