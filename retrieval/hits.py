"""Hits: the photos and captions that a search found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Hit:
    """One result: ``rank`` from 1, ``score`` the inner product of two unit vectors, higher is closer.

    Hits are in the order of score + words; confidence goes by the score alone.
    """

    rank: int
    score: float | None  # None where nothing but filters was asked for
    path: Path | None  # the photo; of a caption, the photo it describes, if that is in the library
    caption: str | None  # the sentence, when captions were searched
    confidence: float | None = None  # probability that it matches; None without a calibration
    id: int = 0  # of its vector
    words: float | None = None  # what names, captions and the like add to the score in the ranking
    matched: tuple[str, ...] = ()  # which of them have words of the query
    date: datetime | None = None  # when the photo was taken, by its camera's clock
    alike: tuple[Path, ...] = ()  # near-duplicates that this hit stands for
    photo: int | None = None  # the id of the photo
    width: int | None = None  # of the upright photo, in pixels
    height: int | None = None
    content: str | None = None  # names what is in the photo's file: another content, another name

    def as_json(self) -> dict[str, Any]:
        """The hit as JSON has it."""
        path = None if self.path is None else str(self.path)
        return {
            "rank": self.rank,
            "score": None if self.score is None else round(self.score, 6),
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "date": None if self.date is None else self.date.isoformat(),
            "path": path,
            "caption": self.caption,
            "alike": [str(path) for path in self.alike],
            "words": None if self.words is None else round(self.words, 4),
            "matched": list(self.matched),
            "photo": self.photo,
            "width": self.width,
            "height": self.height,
            "content": self.content,
        }
