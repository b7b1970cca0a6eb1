"""Pairs of photos with similar vectors.

In a small gallery all pairs are compared. In a large one, each photo is compared with those in the nearest
inverted lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.common.progress import Progress, showing
from twobranch.indexer.vectors.codec import as_matrix
from twobranch.indexer.vectors.exact import BLOCK, VectorIndex
from twobranch.indexer.vectors.index import Index
from twobranch.indexer.vectors.ivf import LargeIndex

# Closest neighbours kept per photo. Without a limit, a thousand photos of one scene are half a million pairs.
MOST = 50
_ROWS, _COLUMNS = 1024, 16_384  # of one block of products, 64 MB; needs at least as many columns as rows
# Lists searched per photo. Its neighbours are in its own list, or in one whose centre is near.
_PROBES = 8
_ROUNDING = 0.01  # error of an inner product with a vector of 8 bits per dimension

_Found = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Pairs:
    """Pairs of vector ids.

    The smaller id of a pair comes first. Each pair occurs once, and the pairs are in ascending order.
    """

    first: NDArray[np.int64]  # (P,)
    second: NDArray[np.int64]  # (P,)

    def __len__(self) -> int:
        return len(self.first)


def near_pairs(index: Index, at_least: float, progress: Progress, without: Sequence[int] = ()) -> Pairs:
    """Return the pairs of photos with an inner product of ``at_least``.

    Each photo is paired with at most its ``MOST`` closest. Vectors with ids in ``without`` are left out.
    Without lists the time grows with the square of the gallery (20,000 photos of 512 dimensions: 2 s on two
    cores; 100,000: 80 s). With lists it grows about linearly.
    Memory: one block of products, and at most 0.8 KB per photo for the pairs.
    """
    left_out = np.asarray(without, dtype=np.int64)
    with showing(progress, "comparing vectors", len(index)):
        if isinstance(index, LargeIndex):
            found = [*_in_lists(index, at_least, progress), *_in_rows(index.tail, at_least, left_out)]
        else:
            assert isinstance(index, VectorIndex)
            found = list(_in_rows(index, at_least, left_out, progress))
    one = np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in found)])
    two = np.concatenate([np.empty(0, np.int64), *(ids for _, ids in found)])
    kept = ~(np.isin(one, left_out) | np.isin(two, left_out))
    both = np.stack([np.minimum(one, two)[kept], np.maximum(one, two)[kept]])
    both = both[:, np.lexsort((both[1], both[0]))]
    again = np.zeros(both.shape[1], dtype=bool)
    again[1:] = (both[:, 1:] == both[:, :-1]).all(axis=0)
    return Pairs(both[0, ~again], both[1, ~again])


def _in_rows(
    index: VectorIndex, at_least: float, left_out: NDArray[np.int64], progress: Progress | None = None
) -> Iterator[_Found]:
    """Yield pairs of ids, by blocks of the products above the diagonal."""
    rows = np.flatnonzero(~np.isin(index.ids, left_out))
    for start in range(0, len(rows), _ROWS):
        here = rows[start : start + _ROWS]
        queries = index.rows[here]
        at, other, score = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
        for begin in range(start, len(rows), _COLUMNS):
            there = rows[begin : begin + _COLUMNS]
            scores = queries @ index.rows[there].T
            if begin == start:
                # Skip photos with themselves, and repeated pairs.
                scores[np.tril_indices(len(here), 0, len(there))] = -2
            close = scores >= at_least
            if np.count_nonzero(close) > MOST * len(here):  # a timelapse could give 16 million
                least = np.partition(scores, -MOST, axis=1)[:, -MOST]
                close &= scores >= least[:, None]
            i, j = np.nonzero(close)
            at, other = np.concatenate([at, i]), np.concatenate([other, begin + j])
            score = np.concatenate([score, scores[i, j]])
            order = np.lexsort((-score, at))
            rank = np.arange(len(order)) - np.searchsorted(at[order], at[order])
            closest = order[rank < MOST]
            at, other, score = at[closest], other[closest], score[closest]
        yield index.ids[here[at]], index.ids[rows[other]]
        if progress is not None:
            progress.advance(len(here))


def _in_lists(index: LargeIndex, at_least: float, progress: Progress) -> Iterator[_Found]:
    """Yield pairs of ids, by searching the lists.

    Every vector of the catalogue is compared with those in the lists. Vectors that are newer than the lists
    are compared with the lists as well.
    """
    newest = 0
    while block := index.catalog.vectors_after(index.kind, index.model_id, newest, BLOCK):
        ids = np.array([id_ for id_, _ in block], dtype=np.int64)
        rows = as_matrix([vector for _, vector in block], index.dim)
        scores, others = index.lists.closest(rows, MOST + 1, _PROBES)  # one of them is the photo itself
        close = (scores >= at_least - _ROUNDING) & (others >= 0) & (others != ids[:, None])
        yield np.broadcast_to(ids[:, None], others.shape)[close], others[close]
        newest = block[-1][0]
        progress.advance(len(block))
