"""From scores to the probability that a hit really matches; NumPy only.

A cosine alone does not say whether a hit matches. Its level differs between queries, kinds of query and
collections of photos, and the best of many photos has a high score by chance. So the logit of "this hit
matches" is a linear function of these features:

* the score;
* the query's scores with a *bank*, a background set of unrelated training photos (or captions);
* the query's scores with a sample of the searched gallery: somebody's own photos are not those of the bank;
* the *match level*: how high right answers to similar queries score. The banks are made of pairs, so the
  captions in them that are closest to a sentence say which of its photos should be close;
* the logarithm of the gallery's size, and of the length of a sentence: a large gallery has many photos for
  "dog", but one for a caption.

Between the hits of one query only the score changes, and its slope is never negative. So confidence never
contradicts the order of hits. Words found in names and captions are part of the score here, as they are part
of the ranking. Of the gallery only low and middle scores are used: a burst of near-duplicates, or many right
hits, do not make a hit less likely.

``train.output.calibrate`` fits the weights. A model without them has those of ``retrieval.background``.
``benchmarks/confidence.md`` lists the methods that were tried and their results.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import CALIBRATION, first_line

QueryKind = Literal["text_to_images", "image_to_captions", "image_to_images", "text_to_captions"]
QUERY_KINDS: tuple[QueryKind, ...] = get_args(QueryKind)
# Of a confidence: fitted with captions of photos, or without any (``retrieval.background``).
Basis = Literal["captions", "background"]

_TOP_SHARES = (0.01, 0.05, 0.25)  # of the bank; their mean scores show how high scores get by chance
_QUANTILES = (0.1, 0.25, 0.5, 0.9)  # of the scores with the gallery
_PRIOR = 20  # photos of the bank that are added to a gallery: a few photos alone have no distribution
_NEAR = 20  # rows of the bank whose mean similarity shows how well training covered a query
_SOFTNESS = 0.06  # of the weights of similar rows, in units of the score
# The features of a hit. n is the size of the gallery, length the number of words of a sentence.
_FACTS = ("mean", "sd", *(f"top {share:.0%}" for share in _TOP_SHARES))
_FACTS += ("own low", "own middle", "own spread", "own high", "match level", "match spread", "nearness")
_LEVELS = ("top 1%", "own middle", "match level")  # what scores are compared with, in galleries of any size
FEATURES = ("score", *_FACTS, "log n", "log length", "log n * log length")
FEATURES += tuple(f"{log} * {name}" for log in ("log n", "log length") for name in ("score", *_LEVELS))
# The weights of these features must not be negative. Both logarithms are >= 0, so the logit then never
# falls when the score rises.
RISING = tuple(column for column, name in enumerate(FEATURES) if name.endswith("score"))
SAMPLE = 500  # vectors of a gallery that a query is compared with
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
    def vectors(self) -> NDArray[np.float32]:
        """The (B, D) float32 vectors.

        They are cached, as converting them takes longer than comparing a query with them.
        """
        return np.asarray(self.rows.astype(np.float32) * self.scales[:, None])

    def scores(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of queries with the rows of the bank.

        (Q, D) queries give (Q, B) scores.
        """
        return np.asarray(queries @ self.vectors.T)

    def background(self, queries: NDArray[np.float32]) -> NDArray[np.float64]:
        """Summarise each query's scores with the bank.

        Returns (Q, 5) float64: the mean and the standard deviation of the scores, and the mean of the
        highest 1, 5 and 25% of them. ``queries`` are (Q, D) float32 unit rows.
        """
        scores = self.scores(queries)
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
    weak: NDArray[np.float64]  # (L, S) probabilities; a hit below does not match
    likely: NDArray[np.float64]  # (L,) probabilities; of the hits from there on, four of five match

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
        if self.likely.shape != self.lengths.shape:
            return f"limits for likely hits of shape {self.likely.shape} for {len(self.lengths)} lengths"
        if not all(((limit >= 0) & (limit <= 1)).all() for limit in (self.weak, self.likely)):
            return "limits that are not probabilities"
        return None

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (...,) probabilities for (..., F) features."""
        logits = self.weights[0] + features @ self.weights[1:]
        return np.asarray(0.5 * (1 + np.tanh(logits / 2)))  # the logistic function, without overflow

    def weak_below(self, n_gallery: float, length: float = 1) -> float:
        """Return the least confidence of a hit that may match.

        Between the measured sizes and lengths, its logit is interpolated linearly over log size and log
        length. Beyond the largest measured gallery it goes on falling with the last measured slope. It is
        never above the limit for likely hits.
        """
        x, logits = np.log(self.sizes), np.log(self.weak / (1 - self.weak))
        at = np.log(max(n_gallery, 1))
        of_lengths = np.array([np.interp(at, x, row) for row in logits])
        if at > x[-1] and len(x) > 2:
            of_lengths += np.minimum(0, (logits[:, -1] - logits[:, -3]) / (x[-1] - x[-3])) * (at - x[-1])
        logit = np.interp(np.log(max(length, 1)), np.log(self.lengths), of_lengths)
        return min(float(1 / (1 + np.exp(-logit))), self.likely_from(length))

    def likely_from(self, length: float = 1) -> float:
        """Return the least confidence of a likely hit, interpolated over log length."""
        return float(np.interp(np.log(max(length, 1)), np.log(self.lengths), self.likely))


@dataclass(frozen=True)
class SearchedGallery:
    """The gallery that a query searches, after filters."""

    size: int
    sample: NDArray[np.float32]  # (m, D) vectors spread over it, up to ``SAMPLE``


@dataclass(frozen=True)
class Background:
    """Background photos and their captions, to compare queries with."""

    images: Bank  # (B, D)
    captions: Bank  # (C, D)
    photo_of: NDArray[np.int64]  # (C,) the row of the photo that a caption describes, rising

    def fault(self, dim: int) -> str | None:
        """Describe the first fault of the background; None for a valid one."""
        if fault := self.images.fault(dim) or self.captions.fault(dim):
            return fault
        n_captions = len(self.captions.rows)
        if self.photo_of.shape != (n_captions,) or self.photo_of.dtype != np.int64:
            return f"photos of captions of shape {self.photo_of.shape}, for {n_captions} captions"
        if ((self.photo_of < 0) | (self.photo_of >= len(self.images.rows))).any():
            return "captions of photos that are not in the background"
        return None

    def bank(self, kind: QueryKind) -> Bank:
        """Return the bank of the gallery that this kind of query searches."""
        return self.images if kind.endswith("_images") else self.captions

    def facts(
        self, kind: QueryKind, queries: NDArray[np.float32], gallery: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return (Q, 12) facts about queries, in the order of the features.

        ``queries`` are (Q, D) unit rows. ``gallery`` are their (Q, m) scores with a sample of the gallery;
        -inf for what is not in it.
        """
        bank = self.bank(kind)
        levels = np.quantile(bank.scores(queries), _QUANTILES, axis=1).T
        own = _own_facts(np.asarray(gallery, dtype=np.float64), levels)
        return np.hstack([bank.background(queries), own, self._match_facts(kind, queries)])

    def _match_facts(self, kind: QueryKind, queries: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (Q, 3) facts about expected matches: level, spread, nearness.

        Rows of the bank on the query's side that are similar to a query have partners on the other side. A
        query is expected to score with its answers as it does with these.
        """
        source = self.captions if kind.startswith("text_") else self.images
        similar, scores = source.scores(queries), self.bank(kind).scores(queries)
        if kind == "text_to_images":
            scores = scores[:, self.photo_of]
        elif kind == "image_to_captions":  # a photo without captions counts as the next one
            first = np.searchsorted(self.photo_of, np.arange(len(self.images.rows)))
            scores = scores[:, np.minimum(first, len(self.photo_of) - 1)]
        weights = np.exp((similar - similar.max(axis=1, keepdims=True)) / _SOFTNESS)
        weights /= weights.sum(axis=1, keepdims=True)
        level = (weights * scores).sum(axis=1)
        spread = np.sqrt((weights * (scores - level[:, None]) ** 2).sum(axis=1))
        near = min(_NEAR, similar.shape[1])
        nearness = np.partition(similar, -near, axis=1)[:, -near:].mean(axis=1)
        return np.stack([level, spread, nearness], axis=1).astype(np.float64)


@dataclass(frozen=True)
class Calibration:
    """Background and fits of one model."""

    background: Background
    fits: Mapping[QueryKind, Fit]
    basis: Basis = "captions"

    def confidences(
        self,
        kind: QueryKind,
        query: NDArray[np.float32],
        text: str | None,
        scores: ArrayLike,
        gallery: SearchedGallery,
    ) -> NDArray[np.float64] | None:
        """Return the (k,) probabilities that hits match a query.

        ``scores`` are the (k,) scores of the hits, with what words add. ``query`` is the (D,) vector,
        ``text`` the sentence if the query is one. Returns None when there is no fit for this kind of query.
        """
        if kind not in self.fits:
            return None
        facts = self.background.facts(kind, query[None], query[None] @ gallery.sample.T)
        wide = np.asarray(scores, dtype=np.float64)[None]
        length = 1 if text is None else n_words(text)
        return self.fits[kind].probabilities(features(wide, facts, [gallery.size], [length]))[0]

    def least_likely(self, kind: QueryKind, text: str | None) -> float:
        """Return the least confidence of a likely match."""
        return self.fits[kind].likely_from(1 if text is None else n_words(text))

    def least_possible(self, kind: QueryKind, text: str | None, n_gallery: int) -> float:
        """Return the least confidence of a hit that may match.

        On dev, 5% of the right first hits are below it, for queries of this length in galleries of this size.
        """
        return self.fits[kind].weak_below(n_gallery, 1 if text is None else n_words(text))

    def save(self, folder: Path) -> None:
        """Write ``calibration.npz`` into the model folder; equal calibrations give equal bytes."""
        np.savez(folder / CALIBRATION, **self.arrays())  # type: ignore[arg-type]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a file of it holds, by name."""
        arrays: dict[str, NDArray[Any]] = {"captions/photos": self.background.photo_of}
        for side in ("images", "captions"):
            bank = getattr(self.background, side)
            arrays |= {f"{side}/rows": bank.rows, f"{side}/scales": bank.scales}
        for kind, fit in self.fits.items():
            arrays |= {f"{kind}/{name}": value for name, value in vars(fit).items()}
        return arrays

    @classmethod
    def load(cls, folder: Path, dim: int) -> Calibration | None:
        """Load the calibration of a model folder; None without one.

        ``dim`` is the number of components of the model's vectors. Raises ``ModelError`` for a damaged one.
        """
        path = folder / CALIBRATION
        if not path.is_file():
            return None
        refit = "refit it with `python -m twobranch.train.output.calibrate`"
        try:
            with np.load(path, allow_pickle=False) as file:
                if "captions/photos" not in file:
                    raise ModelError(f"{path}: not of this version; {refit}")
                found = cls.of_arrays(file)
        except ModelError:
            raise
        except Exception as error:  # NumPy and zipfile raise many types for a broken archive
            raise ModelError(f"{path}: damaged ({first_line(error)}); copy the model folder again") from None
        if found.has_other_features:
            raise ModelError(f"{path}: not of this version; {refit}")
        if fault := found.fault(dim):
            raise ModelError(f"{path}: {fault}; {refit}")
        return found

    @classmethod
    def of_arrays(cls, file: Mapping[str, NDArray[Any]], basis: Basis = "captions") -> Calibration:
        """Return the calibration that ``arrays`` wrote. Raises ``KeyError`` for what is missing."""
        images, captions = (
            Bank(file[f"{side}/rows"], file[f"{side}/scales"]) for side in ("images", "captions")
        )
        fits = {
            kind: Fit(*(file[f"{kind}/{field.name}"] for field in fields(Fit)))
            for kind in QUERY_KINDS
            if f"{kind}/weights" in file
        }
        return cls(Background(images, captions, file["captions/photos"]), fits, basis)

    @property
    def has_other_features(self) -> bool:
        """True for weights of another version's features."""
        return any(fit.weights.shape != (1 + len(FEATURES),) for fit in self.fits.values())

    def fault(self, dim: int) -> str | None:
        """Describe the first fault of its arrays; None for valid ones.

        The model's vectors have ``dim`` numbers.
        """
        faults = (self.background.fault(dim), *(fit.fault() for fit in self.fits.values()))
        return next(filter(None, faults), None)


def n_words(text: str) -> int:
    """Count the words of a sentence, at least 1."""
    return max(1, len(_WORD.findall(text)))


def features(
    scores: NDArray[np.float64], facts: NDArray[np.float64], n_gallery: ArrayLike, lengths: ArrayLike
) -> NDArray[np.float64]:
    """Compute the (Q, k, F) float64 features of hits.

    From (Q, k) scores, (Q, 12) facts, (Q,) gallery sizes and (Q,) lengths in words.
    """
    logs = [
        np.log(np.maximum(np.asarray(numbers, dtype=np.float64), 1))[:, None]
        for numbers in (n_gallery, lengths)
    ]
    named = {"score": scores, **{name: facts[:, i : i + 1] for i, name in enumerate(_FACTS)}}
    columns = [*named.values(), *logs, logs[0] * logs[1]]
    columns += [log * named[name] for log in logs for name in ("score", *_LEVELS)]
    return np.stack([np.broadcast_to(column, scores.shape) for column in columns], axis=-1)


def _own_facts(scores: NDArray[np.float64], bank: NDArray[np.float64]) -> NDArray[np.float64]:
    """Summarise (Q, m) scores with a gallery.

    Returns (Q, 4): low, middle, spread, high. ``bank`` are the (Q, 4) quantiles of the scores with the bank.
    They stand in for photos that a small gallery lacks.
    """
    rising = np.sort(scores, axis=1)  # -inf comes first
    counts = np.isfinite(rising).sum(axis=1)
    rising[~np.isfinite(rising)] = 0
    at = rising.shape[1] - counts[:, None] + np.asarray(_QUANTILES) * np.maximum(counts - 1, 0)[:, None]
    below = np.minimum(at.astype(np.int64), max(rising.shape[1] - 1, 0))
    above = np.minimum(below + 1, max(rising.shape[1] - 1, 0))
    share = (counts / (counts + _PRIOR))[:, None]
    if not rising.shape[1]:
        mixed = bank
    else:
        lower, upper = (np.take_along_axis(rising, rows, axis=1) for rows in (below, above))
        own = np.where(counts[:, None] > 0, lower + (at - below) * (upper - lower), bank)
        mixed = share * own + (1 - share) * bank
    least, low, middle, high = mixed.T
    return np.stack([low, middle, middle - least, high], axis=1)
