"""The ranking of one query, to any depth."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from twobranch.indexer.vectors.exact import VectorIndex
from twobranch.retrieval.fusion import FusedRanking, Ranking, SearchedPhotos, fused
from twobranch.retrieval.paging import RankedItems

_MOST_KEPT = 4  # rankings; one of 100,000 photos takes 2 MB, and 10 MB more if all have a word of the query


@dataclass(frozen=True)
class RankedSearch:
    """The query and what it searches."""

    searched: SearchedPhotos
    wording: str | None  # the words to look for in names and captions; None: pixels alone count
    ranking: Ranking
    language: str | None

    def ranked(self, depth: int) -> RankedItems:
        """Rank the ``depth`` best items. Raises ``LibraryError``."""
        if self.wording is None:
            return RankedItems.of(FusedRanking(*self.searched.best(depth)), by_words=False)
        found = fused(self.wording, self.searched, depth, self.ranking, self.language)
        return RankedItems.of(found, by_words=self.ranking == "words")

    def depth_from(self, n: int) -> int:
        """Return how many items to rank, where at least ``n`` are needed.

        An exact index compares all vectors in any case, and so all are ranked. Inverted lists read each
        candidate: the least power of 4 is ranked, so that the next pages find the same ranking.
        """
        if isinstance(self.searched.index, VectorIndex):
            return max(n, len(self.searched.index))
        return int(4 ** (((n - 1).bit_length() + 1) // 2))

    @property
    def name(self) -> Hashable:
        """Equal for searches of the same ranking, of the same items."""
        return self.searched.vector.tobytes(), self.wording, self.ranking, self.language


class Rankings:
    """The latest rankings of people who go through their pages."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, RankedItems] = OrderedDict()

    def ranked(self, search: RankedSearch, depth: int, items: Hashable) -> RankedItems:
        """Rank the ``depth`` best items, or return what was ranked before.

        ``items`` is equal where the same ones are searched. Raises ``LibraryError``.
        """
        name = search.name, depth, items
        if name not in self._kept:
            self._kept[name] = search.ranked(depth)
        self._kept.move_to_end(name)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[name]
