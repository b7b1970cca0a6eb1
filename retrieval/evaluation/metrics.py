"""Recall, median rank and rsum from ranks, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Re-exported: code that computes recall needs the ranks as well.
from twobranch.retrieval.evaluation.ranks import ranks as ranks
from twobranch.retrieval.evaluation.ranks import ranks_both_ways as ranks_both_ways
from twobranch.retrieval.evaluation.ranks import ranks_from_scores as ranks_from_scores

_RSUM_KS = (1, 5, 10)


@dataclass(frozen=True)
class Interval:
    """A 95 % percentile interval.

    It has the unit of its number.
    """

    low: float
    high: float


@dataclass(frozen=True)
class DirectionMetrics:
    """Metrics of one direction of retrieval.

    ``recall`` and ``interval`` map k to percent; ranks count from 1.
    """

    n_queries: int
    n_gallery: int
    recall: dict[int, float]
    interval: dict[int, Interval]
    median_rank: float
    mean_rank: float


@dataclass(frozen=True)
class RetrievalMetrics:
    """Metrics of both directions.

    ``rsum`` is the sum of R@1, R@5 and R@10 of both (0..600).
    """

    text_to_image: DirectionMetrics
    image_to_text: DirectionMetrics
    rsum: float
    rsum_interval: Interval


def recall_at(ranks: ArrayLike, k: int) -> float:
    """Return the percentage (0..100) of ranks that are at most k.

    Raises ``ValueError`` when there are no ranks.
    """
    ranks = np.asarray(ranks)
    if not ranks.size or k < 1:
        raise ValueError(f"recall@{k} of {ranks.size} ranks: both must be at least 1")
    return float(100.0 * np.mean(ranks <= k))


def average_precision(scores: NDArray[np.float32], relevant: NDArray[np.bool_]) -> float:
    """Return the average precision (0..1) of (G,) scores.

    It is the mean of the precisions at the ranks of the relevant items. Ties count against us: among equal
    scores the relevant ones come last.
    """
    order = np.lexsort((relevant, -scores))
    positions = np.flatnonzero(relevant[order])
    return float(np.mean(np.arange(1, len(positions) + 1) / (positions + 1)))


def retrieval_metrics(
    image_ranks: ArrayLike,
    image_items: ArrayLike,
    caption_ranks: ArrayLike,
    caption_items: ArrayLike,
    ks: Sequence[int] = _RSUM_KS,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> RetrievalMetrics:
    """Compute the metrics of both directions from ranks.

    Ranks and items are (I,) of images and (C,) of captions. Each side is the other's gallery, so every item
    needs an image and a caption; raises ``ValueError`` otherwise. Intervals resample items, because captions
    of one image are not independent.
    """
    image_ranks, image_items = _ranks_with_items(image_ranks, image_items)
    caption_ranks, caption_items = _ranks_with_items(caption_ranks, caption_items)
    items = np.unique(image_items)
    if not np.array_equal(items, np.unique(caption_items)):
        odd = np.setxor1d(image_items, caption_items)
        raise ValueError(f"{odd.size} items are only on one side, such as {odd[0]}")

    all_ks = sorted({*ks, *_RSUM_KS})
    rng = np.random.default_rng(seed)
    tables = [
        _hits_per_item(caption_ranks, np.searchsorted(items, caption_items), all_ks),
        _hits_per_item(image_ranks, np.searchsorted(items, image_items), all_ks),
    ]
    # Both directions use the same draws of items, because their errors are correlated in rsum.
    totals = _resampled(np.stack(tables, axis=1), n_bootstrap, rng)
    recalls = 100.0 * totals[:, :, 1:] / totals[:, :, :1]

    in_rsum = [all_ks.index(k) for k in _RSUM_KS]
    return RetrievalMetrics(
        text_to_image=_direction(caption_ranks, image_ranks.size, ks, all_ks, recalls[:, 0]),
        image_to_text=_direction(image_ranks, caption_ranks.size, ks, all_ks, recalls[:, 1]),
        rsum=sum(recall_at(ranks, k) for ranks in (caption_ranks, image_ranks) for k in _RSUM_KS),
        rsum_interval=_interval(recalls[:, :, in_rsum].sum(axis=(1, 2))),
    )


def _ranks_with_items(ranks: ArrayLike, items: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ranks, items = np.asarray(ranks), np.asarray(items)
    if ranks.ndim != 1 or ranks.shape != items.shape or not ranks.size:
        raise ValueError(f"ranks of shape {ranks.shape} for items of shape {items.shape}")
    return ranks, items


def _hits_per_item(
    ranks: NDArray[np.int64], rows: NDArray[np.intp], ks: Sequence[int]
) -> NDArray[np.float64]:
    """Count the queries and the hits of each item.

    Returns (M, 1 + K): the number of its queries, then the number of those with a rank of at most each k.
    """
    columns = [np.bincount(rows), *(np.bincount(rows, weights=ranks <= k) for k in ks)]
    return np.stack(columns, axis=1).astype(np.float64)


def _resampled(table: NDArray[np.float64], n_bootstrap: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Sum the rows of (M, ...) over bootstrap draws.

    Returns (B, ...) sums over B draws of M rows with replacement. It works on one draw at a time: a (B, M)
    matrix of draws is no faster, and takes gigabytes for a million items.
    """
    m = len(table)
    flat = table.reshape(m, -1)
    draws = (np.bincount(rng.integers(m, size=m), minlength=m) for _ in range(n_bootstrap))
    return np.stack([draw.astype(np.float64) @ flat for draw in draws]).reshape(-1, *table.shape[1:])


def _direction(
    ranks: NDArray[np.int64],
    n_gallery: int,
    ks: Sequence[int],
    all_ks: Sequence[int],
    recalls: NDArray[np.float64],
) -> DirectionMetrics:
    return DirectionMetrics(
        n_queries=ranks.size,
        n_gallery=n_gallery,
        recall={k: recall_at(ranks, k) for k in ks},
        interval={k: _interval(recalls[:, all_ks.index(k)]) for k in ks},
        median_rank=float(np.median(ranks)),
        mean_rank=float(np.mean(ranks)),
    )


def _interval(samples: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(samples, [2.5, 97.5])
    return Interval(float(low), float(high))
