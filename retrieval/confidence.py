"""From scores to the probability that a hit really matches; NumPy only.

A cosine alone does not say whether a hit matches. Its level differs between queries and between kinds of
query, and the best of many photos has a high score by chance. So the logit of "this hit matches" is a linear
function of these features:

* the score;
* the query's scores with a *bank*, a background set of unrelated training photos (or captions);
* the logarithm of the gallery's size, alone and multiplied with the score and the bank's scores;
* the length of a sentence: a large gallery has many photos for "dog", but one for a caption.

Between the hits of one query only the score changes, and its slope is never negative. So confidence never
contradicts the order of hits. The other hits of the query are not used: a burst of near-duplicates, or a
hundred right hits, do not make a hit less likely.

``train.output.calibrate`` fits the weights. ``benchmarks/confidence.md`` lists the methods that were tried
and their results.
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

_TOP_SHARES = (0.01, 0.05, 0.25)  # of the bank; their mean scores show how high scores get by chance
N_BACKGROUND = 2 + len(_TOP_SHARES)
# The features of a hit. n is the size of the gallery, length the number of words of a sentence.
FEATURES = ("score", "mean", "sd", *(f"top {share:.0%}" for share in _TOP_SHARES), "log n", "log length")
FEATURES += (
    "log n * score",
    "log n * top 1%",
    "log length * score",
    "log length * top 1%",
    "log n * log length",
)
# The weights of these features must not be negative. Both logarithms are >= 0, so the logit then never
# falls when the score rises.
RISING = tuple(column for column, name in enumerate(FEATURES) if name.endswith("score"))
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Bank:
    """Background set: training embeddings to compare a query with.

    They are int8 with one scale per row: a quarter of the size of float32, with scores within 0.002 of it.
    """

    rows: NDArray[np.int8]  # (B, D)
    scales: NDArray[np.float32]  # (B,)

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Bank:
        """Quantise (B, D) float32 unit rows."""
        scales = np.maximum(np.abs(vectors).max(axis=1), 1e-12).astype(np.float32) / 127
        return cls(np.rint(vectors / scales[:, None]).astype(np.int8), scales)

    def fault(self, dim: int) -> str | None:
        """Describe the first fault of a bank; None for a valid one.

        A valid bank has ``dim`` numbers per row.
        """
        rows, scales = self.rows, self.scales
        if rows.ndim != 2 or rows.dtype != np.int8 or rows.shape[1] != dim or not len(rows):
            return f"a bank is {rows.dtype} of shape {rows.shape}, but the model's vectors have {dim} numbers"
        if scales.shape != rows.shape[:1] or scales.dtype != np.float32 or not np.isfinite(scales).all():
            return (
                f"a bank of shape {rows.shape} has scales that are not finite, or {scales.dtype} of shape "
                f"{scales.shape}"
            )
        return None

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """The (B, D) float32 vectors.

        They are cached, as converting them takes longer than comparing a query with them.
        """
        return np.asarray(self.rows.astype(np.float32) * self.scales[:, None])

    def background(self, queries: NDArray[np.float32]) -> NDArray[np.float64]:
        """Summarise each query's scores with the bank.

        Returns (Q, 5) float64: the mean and the standard deviation of the scores, and the mean of the
        highest 1, 5 and 25% of them. ``queries`` are (Q, D) float32 unit rows.
        """
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
    weak: NDArray[np.float64]  # (L, S) probabilities; a best hit below is not a likely match

    def fault(self) -> str | None:
        """Describe the first fault of the numbers; None for valid ones."""
        if any(array.dtype != np.float64 or not np.isfinite(array).all() for array in vars(self).values()):
            return "a fit has numbers that are not finite float64"
        axes = (self.lengths, self.sizes)
        if any(axis.ndim != 1 or not len(axis) or axis[0] < 1 or (np.diff(axis) < 0).any() for axis in axes):
            return "sizes or lengths do not rise from 1 or more"
        if self.weak.shape != (len(self.lengths), len(self.sizes)):
            axes_text = f"{len(self.lengths)} lengths and {len(self.sizes)} sizes"
            return f"limits of shape {self.weak.shape} for {axes_text}"
        if not ((self.weak >= 0) & (self.weak <= 1)).all():
            return "limits that are not probabilities"
        return None

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (...,) probabilities for (..., F) features."""
        logits = self.weights[0] + features @ self.weights[1:]
        return np.asarray(0.5 * (1 + np.tanh(logits / 2)))  # the logistic function, without overflow

    def weak_below(self, n_gallery: float, length: float = 1) -> float:
        """Return the least confidence of a best hit that matches.

        Between the measured sizes and lengths, its logit is interpolated linearly over log size and log
        length. Beyond the largest measured gallery it goes on falling with the last measured slope.
        """
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
        """Return the (k,) probabilities that hits match a query.

        ``scores`` are the (k,) scores of the hits, ``query`` is the (D,) vector, ``text`` the sentence if the
        query is one, ``n_gallery`` the number of items that are searched. Returns None when there is no fit
        for this kind of query.
        """
        if kind not in self.fits:
            return None
        background = self.bank(kind).background(query[None])
        wide = np.asarray(scores, dtype=np.float64)[None]
        length = 1 if text is None else n_words(text)
        return self.fits[kind].probabilities(features(wide, background, [n_gallery], [length]))[0]

    def bank(self, kind: QueryKind) -> Bank:
        """Return the bank for the gallery that this kind of query searches."""
        return self.images if kind.endswith("_images") else self.captions

    def matches_well(self, kind: QueryKind, text: str | None, best: float, n_gallery: int) -> bool:
        """True if a best hit of this confidence is a likely match."""
        return kind in self.fits and best >= self.weakest(kind, text, n_gallery)

    def weakest(self, kind: QueryKind, text: str | None, n_gallery: int) -> float:
        """Return the least confidence of a likely match.

        It is the limit for the best hit of a query. On the dev split, 5% of the right first hits are below
        it, for queries of this length in galleries of this size.
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
        """Load the calibration of a model folder; None without one.

        ``dim`` is the number of components of the model's vectors. Raises ``ModelError`` for a damaged one.
        """
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
        except Exception as error:  # NumPy and zipfile raise many types for a broken archive
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
    """Compute the (Q, k, F) float64 features of hits.

    From (Q, k) scores, (Q, 5) backgrounds, (Q,) gallery sizes and (Q,) lengths in words.
    """
    log_n, log_length = (
        np.log(np.maximum(np.asarray(numbers, dtype=np.float64), 1))[:, None]
        for numbers in (n_gallery, lengths)
    )
    columns = [scores, *background.T[:, :, None], log_n, log_length]
    top = background[:, 2:3]
    columns += [log_n * scores, log_n * top, log_length * scores, log_length * top, log_n * log_length]
    return np.stack([np.broadcast_to(column, scores.shape) for column in columns], axis=-1)
