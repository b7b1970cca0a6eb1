"""The items that a query searches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.vectors.index import Index
from twobranch.retrieval.regions import SearchedRegions


@dataclass(frozen=True)
class Scope:
    """The items of a gallery that a query searches."""

    index: Index
    among: NDArray[np.int64] | None = None  # (n,) vectors that pass the filters; None: all
    regions: SearchedRegions | None = None  # windows of the photos, in a library with regions

    @property
    def size(self) -> int:
        """The number of items."""
        return len(self.index) if self.among is None else len(self.among)

    @property
    def is_excluded(self) -> bool:
        """True if the gallery has items, but none passes the filters."""
        return len(self.index) > 0 and self.size == 0
