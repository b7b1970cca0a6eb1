"""Pages of hits.

A page is a search among what the pages before it did not show. So each photo of a ranking is a hit, or a
near-duplicate of a hit, of one page. The place of the last hit is kept by its key in the ranking, not by its
number: the library may change between two pages.

The first page ranks only as many photos as it needs. The scores of those that it finds by their words alone
are computed in another way than on later pages, and may differ in the last digit. So the second page begins a
little above the last hit, and leaves out what the first one showed. All others begin just after the last hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.sorting import Mark, is_integer
from twobranch.retrieval.fusion import FusedRanking
from twobranch.retrieval.hits import TIERS, Hit, Tier
from twobranch.retrieval.verdict import Judge, best_tier, matches_well, n_matching

_IN_ORDER, _IN_RANKING = "o", "r"  # kinds of places, as JSON has them
_DIGITS = 1e-6  # far more than the rounding of scores of 32 bits


@dataclass(frozen=True)
class RankedPlace:
    """A place in a ranking.

    ``shown`` are the vectors after it that were shown already.
    """

    key: float
    score: float
    id: int
    shown: tuple[int, ...] = ()


@dataclass(frozen=True)
class PageStart:
    """The start of a page, with findings of the pages before."""

    rank: int  # of its first hit
    place: RankedPlace | Mark
    best: Tier | None = None  # the best tier of the first page
    n_matching: int | None = None

    def as_json(self) -> list[Any]:
        """Return it as JSON data for ``from_json``."""
        place = self.place
        found = [self.rank, self.best, self.n_matching]
        if isinstance(place, Mark):
            return [*found, _IN_ORDER, place.value, place.id]
        steps = np.diff(sorted(place.shown), prepend=0).tolist()  # shorter than ids
        return [*found, _IN_RANKING, place.key, place.score, place.id, *steps]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> PageStart:
        """Read what ``as_json`` wrote. Raises ``ValueError`` or ``TypeError`` for anything else."""
        rank, best, matching, kind, *place = data
        wrong = ValueError(f"no start of a page: {data!r}")
        if best not in (None, *TIERS) or kind not in (_IN_ORDER, _IN_RANKING):
            raise wrong
        if not all(map(is_integer, (rank, matching or 0))) or rank < 1:
            raise wrong
        if kind == _IN_ORDER:
            value, id_ = place
            if not is_integer(id_):
                raise wrong
            return cls(rank, Mark(value, id_), best, matching)
        key, score, *ids = place
        if not ids or not all(map(is_integer, ids)):
            raise wrong
        shown = tuple(accumulate(ids[1:]))
        if not all(map(is_integer, shown)):
            raise wrong
        return cls(rank, RankedPlace(float(key), float(score), ids[0], shown), best, matching)


@dataclass(frozen=True)
class Page:
    """A page of hits, and the place after them."""

    hits: list[Hit]
    next: RankedPlace | Mark | None = None  # None: there are no more


@dataclass(frozen=True)
class RankedItems:
    """A ranking with the keys that it is sorted by."""

    ranking: FusedRanking
    keys: NDArray[np.float64]  # (k,) falling

    @classmethod
    def of(cls, ranking: FusedRanking, *, by_words: bool) -> RankedItems:
        """Add the keys.

        They are score + words, or with ``by_words`` the latter alone.
        """
        words = ranking.words
        keys = np.array([words.get(id_, 0.0) for id_ in ranking.ids.tolist()], dtype=np.float64)
        return cls(ranking, keys if by_words else keys + ranking.scores)

    def __len__(self) -> int:
        return len(self.keys)

    def after(self, place: RankedPlace) -> RankedItems:
        """Return those after a place that were not shown yet."""
        scores, ids = self.ranking.scores, self.ranking.ids
        later = (scores < place.score) | ((scores == place.score) & (ids > place.id))
        kept = (self.keys < place.key) | ((self.keys == place.key) & later)
        kept &= ~np.isin(ids, np.asarray(place.shown, dtype=np.int64))
        ranking = FusedRanking(
            scores[kept], ids[kept], self.ranking.words, self.ranking.forms, self.ranking.known
        )
        return RankedItems(ranking, self.keys[kept])

    def place_after(self, last: int, shown: Sequence[int], *, is_first_page: bool) -> RankedPlace:
        """Return the place after the last hit of a page.

        ``last`` is its vector; ``shown`` are those of all hits and near-duplicates so far, or at least those
        that may come after the place.
        """
        ids = self.ranking.ids
        at = int(np.flatnonzero(ids == last)[0])
        key, later = float(self.keys[at]), at + 1
        if is_first_page:
            key += _DIGITS
            later = int(np.searchsorted(-self.keys, -key))
        left = ids[later:][np.isin(ids[later:], np.asarray(shown, dtype=np.int64))]
        return RankedPlace(key, float(self.ranking.scores[at]), last, tuple(left.tolist()))


def ranked_place(start: PageStart) -> RankedPlace:
    """Return the place of a page of the best hits. Raises ``UserError`` for another one."""
    if isinstance(start.place, Mark):
        raise UserError("this page is not one of the best hits; search anew")
    return start.place


def matches_well_so_far(hits: Sequence[Hit], judge: Judge, start: PageStart | None) -> bool | None:
    """Judge whether any hit of the pages so far may match. None if unknown."""
    if start is None:
        return matches_well(hits, judge)
    return None if start.best is None else start.best != "rest"


def matching_so_far(hits: Sequence[Hit], start: PageStart | None) -> int | None:
    """Count the hits down to the last matching one, over all pages."""
    if start is None:
        return n_matching(hits)
    if start.best is None or start.best == "rest":
        return start.n_matching
    ranks = [hit.rank for hit in hits if hit.tier == start.best]
    return max(ranks, default=start.n_matching)


def next_start(page: Page, start: PageStart | None) -> PageStart | None:
    """Return the start of the page after this one, or None."""
    if page.next is None or not page.hits:
        return None
    best = best_tier(page.hits) if start is None else start.best
    return PageStart(page.hits[-1].rank + 1, page.next, best, matching_so_far(page.hits, start))
