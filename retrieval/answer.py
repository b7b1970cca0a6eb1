"""Search answers and their JSON.

``search --json`` and the HTTP API both give this JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twobranch.indexer.catalog.reader import Gallery
    from twobranch.retrieval.confidence import Basis
    from twobranch.retrieval.date_filter import DateWords
    from twobranch.retrieval.hits import Hit
    from twobranch.retrieval.paging import PageStart
    from twobranch.retrieval.query import Query
    from twobranch.retrieval.spelling import Correction
    from twobranch.retrieval.understanding import NotUnderstood


@dataclass(frozen=True)
class Answer:
    """The answer to a search request."""

    query: Query  # as it was searched for
    typed: Query  # before dates were read and mistakes corrected; the next search refines this one
    gallery: Gallery
    language: str | None  # code of the language that its sentences were read in; None without any
    hits: Sequence[Hit]
    n_gallery: int  # photos or captions that can be found at all
    n_passing: int = 0  # those of them that pass the filters
    next: PageStart | None = None  # where the next page begins; None: there are no more hits
    matches_well: bool | None = None  # False: not even the best hit may match; None: unknown
    confidence_from: Basis | None = None  # captions, or only background texts; None: hits have no confidence
    n_matching: int | None = None  # hits of the best tier end after the first n; None: unknown
    not_understood: NotUnderstood | None = None  # why pixels say nothing about the query
    corrections: tuple[Correction, ...] = ()  # certain and doubtful ones
    corrected: bool = True  # the certain ones were searched for
    unknown_words: tuple[str, ...] = ()  # without a meaning to the model
    filters_exclude_all: bool = False
    dates: DateWords | None = None  # words of the query that name dates
    took_ms: float = 0.0  # of the search itself, once the query is understood

    @property
    def is_of_words(self) -> bool:
        """True for a sentence about photos.

        Such a query is also matched with names, folders, keywords and captions.
        """
        return self.query.sentence is not None and self.gallery == "images"

    def as_json(self) -> dict[str, Any]:
        """Return the answer as JSON data.

        ``in`` names the gallery; ``gallery`` is its size.
        """
        corrections = [
            {"word": one.word, "known": list(one.known), "used": one.is_certain and self.corrected}
            for one in self.corrections
        ]
        return {
            "query": str(self.query),
            "in": self.gallery,
            "language": self.language,
            "matches_well": self.matches_well,
            "n_matching": self.n_matching,
            "confidence_from": self.confidence_from,
            "not_understood": None if self.not_understood is None else self.not_understood.as_json(),
            "hits": [hit.as_json() for hit in self.hits],
            "corrections": corrections,
            "unknown_words": list(self.unknown_words),
            "dates": None if self.dates is None else self.dates.as_json(),
            "gallery": self.n_gallery,
            "passing": self.n_passing,
            "took_ms": round(self.took_ms, 1),
        }
