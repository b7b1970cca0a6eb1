"""Exact ranks from vectors.

They cost little more than one float32 product of all vectors with all. The score of two vectors is their
inner product, summed in float64 and rounded to float32. So equal vectors have equal scores. The last bit of a
float32 sum would depend on the order in which BLAS adds, and a collapsed model could win ties by it. But
float32 products take half the time, and their error has a known bound. So only products within this bound of
the score to beat are computed again in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Scores computed at once: 1,024 x 4,096 are 16 MB, and larger blocks are not multiplied faster.
_BLOCK = 1024
_TILE = 4096
# Pairs of vectors scored at once: 4 MB of products with 512 dimensions.
_PAIRS = 1024
# A single pair takes as long as about 30 pairs of a float64 product. If a larger share of the pairs than this
# is unsure, the float64 product is faster.
_MOST_UNSURE = 1 / 32


def ranks_from_scores(
    scores: ArrayLike, query_items: ArrayLike, gallery_items: ArrayLike
) -> NDArray[np.int64]:
    """Return the (Q,) int64 ranks from (Q, G) scores.

    A rank is 1 + the number of negatives that score >= the best positive. Items are (Q,) and (G,) ints;
    equal ones are positives. Raises ``ValueError`` for shapes that do not
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
    block: int = _BLOCK,
) -> NDArray[np.int64]:
    """Return the (Q,) int64 ranks of queries in a gallery.

    Queries are (Q, D) and the gallery is (G, D), both float32. A rank is 1 + the number of negatives that
    score >= the best positive. Items are (Q,) and (G,) ints; equal ones are positives. Works on ``block``
    queries and a tile of the gallery at a time, so memory does not grow with Q * G. Raises ``ValueError`` for
    shapes that do not fit, vectors that are not finite, and queries without a positive.
    """
    sides = _sides(queries, gallery, query_items, gallery_items)
    return _ranks(sides, (0,), block, advance=lambda _: None)[0]


def ranks_both_ways(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_items: ArrayLike,
    gallery_items: ArrayLike,
    block: int = _BLOCK,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ``ranks`` in both directions.

    Returns the (Q,) int64 ranks of the queries in the gallery, and the (G,) ones of the gallery in the
    queries. Scores are computed once for both. ``advance`` is called with the number of queries that were
    done since its last call. Raises ``ValueError`` as ``ranks`` does, for either direction.
    """
    sides = _sides(queries, gallery, query_items, gallery_items)
    forward, backward = _ranks(sides, (0, 1), block, advance)
    return forward, backward


@dataclass(frozen=True)
class _Side:
    vectors: NDArray[np.float32]  # (N, D)
    items: NDArray[np.int64]  # (N,)
    norms: NDArray[np.float64]  # (N,)

    def __len__(self) -> int:
        return len(self.vectors)

    def part(self, rows: slice) -> _Side:
        return _Side(self.vectors[rows], self.items[rows], self.norms[rows])


_Sides = tuple[_Side, _Side]


def _sides(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_items: ArrayLike,
    gallery_items: ArrayLike,
) -> _Sides:
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries of shape {queries.shape} do not fit a gallery of shape {gallery.shape}")
    return _side("query", queries, query_items), _side("gallery", gallery, gallery_items)


def _side(name: str, vectors: NDArray[np.float32], items: ArrayLike) -> _Side:
    items = np.asarray(items)
    if items.shape != vectors.shape[:1]:
        raise ValueError(f"{items.size} {name} items for {len(vectors)} {name} vectors")
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    strange = np.flatnonzero(~np.isfinite(norms))
    if strange.size:
        raise ValueError(f"{name} vector {strange[0]} is not finite")
    return _Side(vectors, items, norms)


def _ranks(
    sides: _Sides, ways: Sequence[int], block: int, advance: Callable[[int], None]
) -> list[NDArray[np.int64]]:
    """Return the ranks of ``sides[way]`` in the other side, for each way."""
    if block < 1:
        raise ValueError(f"block of {block} queries: it must be at least 1")
    for way in ways:
        _check_answerable(sides[way], sides[1 - way])
    best = [np.full(len(side), -np.inf, dtype=np.float32) for side in sides]
    for *pair, scores in _positives(*sides):
        for way in ways:
            np.maximum.at(best[way], pair[way], scores)
    bars = {way: _Bar.around(best[way], sides[way], sides[1 - way]) for way in ways}
    ahead = [np.zeros(len(side), dtype=np.int64) for side in sides]
    for start in range(0, len(sides[0]), block):
        rows = slice(start, start + block)
        for left in range(0, len(sides[1]), _TILE):
            parts = rows, slice(left, left + _TILE)
            tile = _Tile((sides[0].part(parts[0]), sides[1].part(parts[1])))
            for way in ways:
                ahead[way][parts[way]] += tile.ahead(bars[way].part(parts[way]), way)
        advance(len(sides[0].items[rows]))
    return [1 + ahead[way] for way in ways]


def _check_answerable(side: _Side, other: _Side) -> None:
    alone = np.flatnonzero(~np.isin(side.items, other.items))
    if alone.size:
        first = alone[0]
        raise ValueError(f"query {first} with item {side.items[first]} has no positive in the gallery")


def _positives(
    one: _Side, other: _Side
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]]:
    """Yield all pairs of equal items in blocks.

    A block has the rows in ``one``, the rows in ``other``, and the scores of the pairs.
    """
    order = np.argsort(other.items, kind="stable")
    items = other.items[order]
    first = np.searchsorted(items, one.items, side="left")
    counts = np.searchsorted(items, one.items, side="right") - first
    ends = np.cumsum(counts)
    for start in range(0, int(counts.sum()), _PAIRS):
        number = np.arange(start, min(start + _PAIRS, ends[-1]))
        i = np.searchsorted(ends, number, side="right")
        j = order[first[i] + number - (ends[i] - counts[i])]
        yield i, j, scores_of_pairs(one.vectors[i], other.vectors[j])


def scores_of_pairs(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the (n,) scores of corresponding rows.

    Score i is that of row i of ``a`` with row i of ``b``. Equal vectors have equal scores, because NumPy adds
    the numbers of every row in the same order.
    """
    return np.multiply(a, b, dtype=np.float64).sum(axis=1).astype(np.float32)


@dataclass(frozen=True)
class _Bar:
    """The scores to beat, with limits for float32 products.

    Beyond a limit it is certain that a score is beaten or not.
    """

    best: NDArray[np.float32]  # (N,) the score of the best positive
    low: NDArray[np.float32]  # (N,) a product below belongs to a score < best
    high: NDArray[np.float32]  # (N,) a product above belongs to a score > best

    @classmethod
    def around(cls, best: NDArray[np.float32], side: _Side, other: _Side) -> _Bar:
        """Compute the bars for the vectors of ``side`` against ``other``.

        For any order of adding the D products of x and y, a sum with unit roundoff u has an error of at most
        g(D) |x| |y|, g(n) = n u / (1 - n u) (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
        Rounding the score to float32 adds u |x| |y|. The other three in g(D + 4) are far more than the errors
        of float64, here and in the sum. Underflow adds at most 2^-126 for each product and sum. If a product
        may overflow, its limits are infinite and nothing is certain.
        """
        n = (side.vectors.shape[1] + 4) * 2.0**-24
        scale = side.norms * other.norms.max(initial=0)
        error = scale * (n / (1 - n)) + side.vectors.shape[1] * 2.0**-125
        error = np.where(scale < 2.0**126, error, np.inf)
        with np.errstate(over="ignore", invalid="ignore"):  # inf - inf is NaN: nothing is certain
            low, high = (best - error).astype(np.float32), (best + error).astype(np.float32)
        return cls(best, np.nextafter(low, np.float32(-np.inf)), np.nextafter(high, np.float32(np.inf)))

    def part(self, rows: slice) -> _Bar:
        return _Bar(self.best[rows], self.low[rows], self.high[rows])


@dataclass(frozen=True)
class _Tile:
    """A block of queries and a part of the gallery."""

    sides: _Sides

    @cached_property
    def products(self) -> NDArray[np.float32]:
        """The (B, T) float32 products, with errors within ``_Bar``'s bound."""
        return self.sides[0].vectors @ self.sides[1].vectors.T

    @cached_property
    def scores(self) -> NDArray[np.float32]:
        """The (B, T) float32 scores, by BLAS in float64.

        Sums of equal vectors may differ in the last bit of float64. Rounding to float32 nearly always removes
        the difference.
        """
        one, other = (side.vectors.astype(np.float64) for side in self.sides)
        return (one @ other.T).astype(np.float32)

    def ahead(self, bar: _Bar, way: int) -> NDArray[np.int64]:
        """Count the negatives ahead of each vector of ``sides[way]``.

        Returns (N,) numbers of negatives that score >= its best positive. A positive is never counted as
        certainly ahead, because its score is at most that of the best positive.
        """
        across = (slice(None), None) if way == 0 else (None, slice(None))
        above = self.products > bar.high[across]
        # Neither below nor above. This includes NaN, from a product that overflowed.
        unsure = np.flatnonzero((self.products < bar.low[across]) == above)
        if len(unsure) > _MOST_UNSURE * above.size:
            negative = self.sides[0].items[:, None] != self.sides[1].items
            return np.sum((self.scores >= bar.best[across]) & negative, axis=1 - way, dtype=np.int64)
        ahead = above.sum(axis=1 - way, dtype=np.int64)
        pairs = np.stack(np.divmod(unsure, above.shape[1]))
        items = [side.items[rows] for side, rows in zip(self.sides, pairs, strict=True)]
        pairs = pairs[:, items[0] != items[1]]
        for start in range(0, pairs.shape[1], _PAIRS):
            i, j = some = pairs[:, start : start + _PAIRS]
            scores = scores_of_pairs(self.sides[0].vectors[i], self.sides[1].vectors[j])
            beaten = some[way][scores >= bar.best[some[way]]]
            ahead += np.bincount(beaten, minlength=len(ahead))
        return ahead
