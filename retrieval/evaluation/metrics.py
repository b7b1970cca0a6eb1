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


@dataclass(frozen=True)
class QueryRanks:
    """The ranks of both directions, with the item of each query."""

    images: NDArray[np.int64]  # (I,) from 1
    image_items: NDArray[np.int64]  # (I,)
    captions: NDArray[np.int64]  # (C,) from 1
    caption_items: NDArray[np.int64]  # (C,)


@dataclass(frozen=True)
class Difference:
    """A difference of two recalls or rsums, with its 95 % interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class MetricDifferences:
    """Differences between two models' metrics on the same queries.

    The recalls map k to a difference in percentage points.
    """

    text_to_image: dict[int, Difference]
    image_to_text: dict[int, Difference]
    rsum: Difference


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
    all_ks = sorted({*ks, *_RSUM_KS})
    table = _hits_both_ways(QueryRanks(image_ranks, image_items, caption_ranks, caption_items), all_ks)
    # Both directions use the same draws of items, because their errors are correlated in rsum.
    recalls = _recalls(_resampled(table, n_bootstrap, np.random.default_rng(seed)))
    return RetrievalMetrics(
        text_to_image=_direction(caption_ranks, image_ranks.size, ks, all_ks, recalls[:, 0]),
        image_to_text=_direction(image_ranks, caption_ranks.size, ks, all_ks, recalls[:, 1]),
        rsum=sum(recall_at(ranks, k) for ranks in (caption_ranks, image_ranks) for k in _RSUM_KS),
        rsum_interval=_interval(_rsums(recalls, all_ks)),
    )


def metric_differences(
    ours: QueryRanks,
    theirs: QueryRanks,
    ks: Sequence[int] = _RSUM_KS,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> MetricDifferences:
    """Compute by how much ``ours`` exceeds ``theirs``, with paired intervals.

    Each bootstrap draw of items counts for both models. So what makes a query hard for both cancels out, and
    the intervals are narrower than those of the two models suggest. Raises ``ValueError`` unless both have
    the same queries: as many captions and images of every item.
    """
    all_ks = sorted({*ks, *_RSUM_KS})
    tables = [_hits_both_ways(ranks, all_ks) for ranks in (ours, theirs)]
    if tables[0].shape != tables[1].shape or not np.array_equal(tables[0][:, :, 0], tables[1][:, :, 0]):
        raise ValueError(f"queries of {len(tables[0])} and {len(tables[1])} items: not the same queries")
    if not np.array_equal(np.unique(ours.image_items), np.unique(theirs.image_items)):
        raise ValueError("queries of other items: not the same queries")
    both = np.stack(tables, axis=1)  # (M, 2 models, 2 directions, 1 + K)
    measured = _recalls(both.sum(axis=0)[None])
    draws = _recalls(_resampled(both, n_bootstrap, np.random.default_rng(seed)))
    values, samples = measured[0, 0] - measured[0, 1], draws[:, 0] - draws[:, 1]
    rsum = Difference(float(_rsums(values[None], all_ks)[0]), _interval(_rsums(samples, all_ks)))
    ways = [
        {
            k: Difference(float(values[way, column]), _interval(samples[:, way, column]))
            for k in ks
            for column in [all_ks.index(k)]
        }
        for way in (0, 1)
    ]
    return MetricDifferences(ways[0], ways[1], rsum)


def _hits_both_ways(ranks: QueryRanks, ks: Sequence[int]) -> NDArray[np.float64]:
    """Count the queries and the hits of each item, in both directions.

    Returns (M, 2, 1 + K), text to image first; items rise. Raises ``ValueError`` for an item without a
    caption or without an image.
    """
    items = np.unique(ranks.image_items)
    if not np.array_equal(items, np.unique(ranks.caption_items)):
        odd = np.setxor1d(ranks.image_items, ranks.caption_items)
        raise ValueError(f"{odd.size} items are only on one side, such as {odd[0]}")
    tables = [
        _hits_per_item(ranks.captions, np.searchsorted(items, ranks.caption_items), ks),
        _hits_per_item(ranks.images, np.searchsorted(items, ranks.image_items), ks),
    ]
    return np.stack(tables, axis=1)


def _recalls(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn counts of queries and hits into percent.

    Maps (..., 1 + K) to (..., K).
    """
    return 100.0 * totals[..., 1:] / totals[..., :1]


def _rsums(recalls: NDArray[np.float64], ks: Sequence[int]) -> NDArray[np.float64]:
    """Sum (N, 2, K) recalls of both directions to (N,) rsums."""
    in_rsum = [ks.index(k) for k in _RSUM_KS]
    return np.asarray(recalls[:, :, in_rsum].sum(axis=(1, 2)))


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
