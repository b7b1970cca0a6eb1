"""Hits: the photos and captions that a search found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from twobranch.indexer.catalog.filters import DateFrom
from twobranch.indexer.gazetteer.place_names import place_label

# Likely: four of five such hits match. Perhaps: 5% of the right first hits are below this tier.
Tier = Literal["likely", "perhaps", "rest"]
TIERS: tuple[Tier, ...] = ("likely", "perhaps", "rest")


@dataclass(frozen=True)
class Hit:
    """One search result.

    ``rank`` counts from 1. ``score`` is the inner product of two unit vectors: higher is closer. Hits are
    ordered by score + words, and so are their confidences. With ``region``, in pixels of the upright photo,
    a window of the photo matches better than the whole, and the score is of that window
    (``retrieval.regions``).
    """

    rank: int
    score: float | None  # None for a query with filters only
    path: Path | None  # of the photo; for a caption, of its photo, if that is in the library
    caption: str | None  # the sentence, if captions were searched
    confidence: float | None = None  # probability that it matches; None without a calibration
    tier: Tier | None = None  # of its confidence
    id: int = 0  # of its vector
    words: float | None = None  # what matching words in names and captions add to the score
    matched: tuple[str, ...] = ()  # fields (names, captions, ...) that have words of the query
    date: datetime | None = None  # by the camera's clock; without that, of the photo's file
    date_from: DateFrom | None = None
    alike: tuple[Path, ...] = ()  # paths of the near-duplicates collapsed into this hit
    photo: int | None = None  # the id of the photo
    width: int | None = None  # of the upright photo, in pixels
    height: int | None = None
    content: str | None = None  # identifies the content of the photo's file
    latitude: float | None = None  # of the photo, degrees
    longitude: float | None = None
    region: tuple[int, int, int, int] | None = None  # left, top, right, bottom of the window that was found
    rating: int | None = None  # of the photo, 1 to 5
    favourite: bool = False

    @property
    def place(self) -> str | None:
        """The town that the photo was taken in, such as ``Paris, France``.

        The first one loads the gazetteer.
        """
        return place_label(self.latitude, self.longitude)

    def as_json(self) -> dict[str, Any]:
        """Return the hit as JSON data."""
        path = None if self.path is None else str(self.path)
        return {
            "rank": self.rank,
            "score": None if self.score is None else round(self.score, 6),
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "tier": self.tier,
            "date": None if self.date is None else self.date.isoformat(),
            "date_from": self.date_from,
            "path": path,
            "caption": self.caption,
            "alike": [str(path) for path in self.alike],
            "words": None if self.words is None else round(self.words, 4),
            "matched": list(self.matched),
            "photo": self.photo,
            "width": self.width,
            "height": self.height,
            "content": self.content,
            "place": self.place,
            "region": None if self.region is None else list(self.region),
            "rating": self.rating,
            "favourite": self.favourite,
        }
