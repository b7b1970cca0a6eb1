"""Verdicts on hits: their confidence, and their tier.

This is the one place that decides what matches. The command line, the page's line, counts, sorting by date
and the HTTP API all use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.embedding.language import ENGLISH
from twobranch.indexer.catalog.reader import Gallery
from twobranch.retrieval.confidence import Basis, Calibration, QueryKind, SearchedGallery
from twobranch.retrieval.hits import TIERS, Hit, Tier
from twobranch.retrieval.query import Query
from twobranch.retrieval.understanding import NotUnderstood

# The limit for hits that perhaps match was fitted on English. Single nouns score lower in other languages. To
# call a photo that is there no match is worse than to show one that is not.
_OTHER_LANGUAGES = 0.5


def kind_of(query: Query, gallery: Gallery) -> QueryKind | None:
    """Return the kind of a query for calibrations.

    None for a query that is not a single sentence or photo.
    """
    if query.sentence is not None:
        return "text_to_images" if gallery == "images" else "text_to_captions"
    if query.is_photo:
        return "image_to_images" if gallery == "images" else "image_to_captions"
    return None


@dataclass(frozen=True)
class Verdict:
    """Confidences and tiers of hits, best hit first."""

    confidences: tuple[float, ...]
    tiers: tuple[Tier | None, ...]  # None for a sentence among captions


@dataclass(frozen=True)
class Judge:
    """A judge of the hits of one query."""

    query: Query
    gallery: Gallery
    calibration: Calibration | None  # of the library's model; None: no hit has a confidence
    searched: SearchedGallery  # after filters
    not_understood: NotUnderstood | None = None  # why pixels say nothing about the query

    @property
    def kind(self) -> QueryKind | None:
        """The kind of the query; see ``kind_of``."""
        return kind_of(self.query, self.gallery)

    @property
    def has_confidence(self) -> bool:
        """True if the hits of the query have a confidence."""
        return self.calibration is not None and self.kind in self.calibration.fits

    @property
    def confidence_from(self) -> Basis | None:
        """The basis of the confidence of hits; None without one."""
        return None if self.calibration is None or not self.has_confidence else self.calibration.basis

    def check_confidence(self, model: str) -> None:
        """Raise ``UserError`` if hits have no confidence.

        It is for searches with a minimum confidence. ``model`` is the name of the library's model.
        """
        if self.has_confidence:
            return
        fact = (
            f"the model {model} has no calibration, and `index` estimated none from the photos, so its hits "
            "have no confidence"
            if self.calibration is None
            else "only hits of one sentence or one photo have a confidence"
        )
        raise UserError(f"{fact}; search without --min-confidence")

    def verdict(
        self, vector: NDArray[np.float32], scores: Sequence[float], words: Sequence[float]
    ) -> Verdict | None:
        """Judge hits with these scores, and what words add to them. None if they have no confidence.

        ``vector`` is the (D,) vector of the query. Where hits are ordered by score + words, so are
        their confidences. If the query is not understood, only words make a hit match.
        """
        if self.calibration is None or self.kind is None or self.kind not in self.calibration.fits:
            return None
        sums = np.asarray(scores, dtype=np.float64) + np.asarray(words, dtype=np.float64)
        sentence = self.query.sentence
        found = self.calibration.confidences(self.kind, vector, sentence, sums, self.searched)
        assert found is not None
        if self.not_understood is not None:
            found = np.where(np.asarray(words) > 0, found, 0.0)
        if self.kind == "text_to_captions":
            # This confidence is that both are of one photo. A caption with "dog" matches "dog" anyway.
            return Verdict(tuple(found.tolist()), (None,) * len(found))
        likely = self.calibration.least_likely(self.kind, sentence)
        possible = self.calibration.least_possible(self.kind, sentence, self.searched.size)
        if self.query.language not in (None, ENGLISH):
            possible *= _OTHER_LANGUAGES
        tiers: list[Tier] = [
            "likely" if one >= likely else "perhaps" if one >= possible else "rest" for one in found
        ]
        return Verdict(tuple(found.tolist()), tuple(tiers))


def best_tier(hits: Sequence[Hit]) -> Tier | None:
    """Return the best tier of any hit. None if hits have no confidence, or there are none."""
    return min((hit.tier for hit in hits if hit.tier is not None), key=TIERS.index, default=None)


def matching(hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits of the best tier, unless that is "rest".

    These are the likely ones or, if there are none, those that perhaps match. All hits, if they have no
    confidence.
    """
    best = best_tier(hits)
    if best is None:
        return list(hits)
    return [] if best == "rest" else [hit for hit in hits if hit.tier == best]


def matches_well(hits: Sequence[Hit], judge: Judge) -> bool | None:
    """Judge whether any hit may match. None if this is unknown, because hits have no confidence."""
    if judge.query.terms and not hits and judge.has_confidence and judge.searched.size:
        return False
    best = best_tier(hits)
    return None if best is None else best != "rest"


def n_matching(hits: Sequence[Hit]) -> int | None:
    """Count the hits down to the last one that ``matching`` returns.

    None without hits, or if they have no confidence.
    """
    best = best_tier(hits)
    if best is None:
        return None
    return max((at for at, hit in enumerate(hits, start=1) if hit.tier == best != "rest"), default=0)
