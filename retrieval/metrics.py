"""From scores to ranks, from ranks to recall, median rank and rsum with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_RSUM_KS = (1, 5, 10)
# Gallery rows that are widened to float64 at a time.
_TILE = 4096


@dataclass(frozen=True)
class Interval:
    """A 95 % percentile interval, in the unit of the number it belongs to."""

    low: float
    high: float


@dataclass(frozen=True)
class DirectionMetrics:
    """One direction of retrieval: recall and its interval in percent by k, ranks from 1."""

    n_queries: int
    n_gallery: int
    recall: dict[int, float]
    interval: dict[int, Interval]
    median_rank: float
    mean_rank: float


@dataclass(frozen=True)
class RetrievalMetrics:
    """Both directions, and rsum: R@1, R@5 and R@10 of both added up (0..600)."""

    text_to_image: DirectionMetrics
    image_to_text: DirectionMetrics
    rsum: float
    rsum_interval: Interval


def ranks_from_scores(
    scores: ArrayLike, query_items: ArrayLike, gallery_items: ArrayLike
) -> NDArray[np.int64]:
    """(Q,) int64 ranks from (Q, G) scores: 1 + negatives that score >= the best positive.

    Items are (Q,) and (G,) ints; equal ones are positives. Raises ``ValueError`` for shapes that do not
    fit, NaN scores, and queries without a positive.
    """
    scores, query_items, gallery_items = (np.asarray(a) for a in (scores, query_items, gallery_items))
    if scores.shape != (query_items.size, gallery_items.size):
        raise ValueError(
            f"scores of shape {scores.shape} for {query_items.size} query items "
            f"and {gallery_items.size} gallery items"
        )
    positive = query_items[:, None] == gallery_items[None, :]
    unanswerable = np.flatnonzero(~positive.any(axis=1))
    if unanswerable.size:
        first = unanswerable[0]
        raise ValueError(f"query {first} with item {query_items[first]} has no positive in the gallery")
    if scores.size and np.isnan(scores.min()):  # a minimum passes NaN on, and needs no array of flags
        raise ValueError(f"NaN scores for query {np.flatnonzero(np.isnan(scores).any(axis=1))[0]}")
    best = np.where(positive, scores, -np.inf).max(axis=1, initial=-np.inf)
    return 1 + np.count_nonzero((scores >= best[:, None]) & ~positive, axis=1).astype(np.int64)


def ranks(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_items: ArrayLike,
    gallery_items: ArrayLike,
    block: int = 256,
) -> NDArray[np.int64]:
    """(Q,) int64 ranks of (Q, D) queries in a (G, D) gallery by inner product, both float32.

    Works on ``block`` queries at a time: memory is bounded by block * G scores. Raises ``ValueError``
    as ``ranks_from_scores`` does.
    """
    query_items = np.asarray(query_items)
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries of shape {queries.shape} do not fit a gallery of shape {gallery.shape}")
    if query_items.shape != queries.shape[:1]:
        raise ValueError(f"{query_items.size} query items for {len(queries)} queries")
    if block < 1:
        raise ValueError(f"block of {block} queries: it must be at least 1")
    result = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), block):
        rows = slice(start, start + block)
        result[rows] = ranks_from_scores(_scores(queries[rows], gallery), query_items[rows], gallery_items)
    return result


def _scores(queries: NDArray[np.float32], gallery: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, G) float32 inner products, equal for equal gallery rows.

    A float32 product differs in the last bit between rows, with the order in which BLAS adds: a collapsed
    model would win its ties. Summing in float64 and rounding has no such bits, for two to three times
    the time.
    """
    result = np.empty((len(queries), len(gallery)), dtype=np.float32)
    wide = queries.astype(np.float64)
    for start in range(0, len(gallery), _TILE):
        columns = slice(start, start + _TILE)
        result[:, columns] = wide @ gallery[columns].astype(np.float64).T
    return result


def recall_at(ranks: ArrayLike, k: int) -> float:
    """Percent (0..100) of the ranks that are at most k; raises ``ValueError`` when there are none."""
    ranks = np.asarray(ranks)
    if not ranks.size or k < 1:
        raise ValueError(f"recall@{k} of {ranks.size} ranks: both must be at least 1")
    return float(100.0 * np.mean(ranks <= k))


def retrieval_metrics(
    image_ranks: ArrayLike,
    image_items: ArrayLike,
    caption_ranks: ArrayLike,
    caption_items: ArrayLike,
    ks: Sequence[int] = _RSUM_KS,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> RetrievalMetrics:
    """Metrics of both directions from the ranks of (I,) images and (C,) captions, items alike.

    Each side is the other's gallery, so every item needs an image and a caption: ``ValueError``
    otherwise. Intervals resample items, for captions of one image are not independent.
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
    # One draw of items serves both directions: their errors go together in rsum.
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
    """(M, 1 + K): per item the number of its queries, then how many of them are hits at each k."""
    columns = [np.bincount(rows), *(np.bincount(rows, weights=ranks <= k) for k in ks)]
    return np.stack(columns, axis=1).astype(np.float64)


def _resampled(table: NDArray[np.float64], n_bootstrap: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(B, ...): sums of the rows of (M, ...) over B draws of M rows with replacement.

    One draw at a time: a (B, M) matrix of draws is no faster and takes gigabytes for a million items.
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
