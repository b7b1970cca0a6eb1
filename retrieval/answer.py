"""What a search found, in the shape that every program reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.reader import Gallery
    from retrieval.hits import Hit


@dataclass(frozen=True)
class Answer:
    """What a search found."""

    query: str  # as one would type it; empty where nothing but filters was asked for
    gallery: Gallery  # what was searched
    hits: Sequence[Hit]
    matches_well: bool | None
    took_ms: float
    n_matching: int | None = None  # after so many hits none is a likely match; None: nobody can tell

    def as_json(self) -> dict[str, Any]:
        """The shape of ``search --json``."""
        return {
            "query": self.query,
            "in": self.gallery,
            "matches_well": self.matches_well,
            "n_matching": self.n_matching,
            "hits": [hit.as_json() for hit in self.hits],
            "took_ms": round(self.took_ms, 1),
        }
