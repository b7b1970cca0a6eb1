"""Verdicts on hits: their confidence, and which are likely matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.reader import Gallery
from twobranch.retrieval.confidence import Calibration, QueryKind
from twobranch.retrieval.fusion import SURE
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.query import Query


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
class Judge:
    """A judge of the hits of one query."""

    query: Query
    gallery: Gallery
    calibration: Calibration | None  # of the library's model; None: no hit has a confidence
    n_gallery: int  # photos or captions in the gallery

    @property
    def kind(self) -> QueryKind | None:
        """The kind of the query; see ``kind_of``."""
        return kind_of(self.query, self.gallery)

    @property
    def has_confidence(self) -> bool:
        """True if the hits of the query have a confidence."""
        return self.calibration is not None and self.kind in self.calibration.fits

    @property
    def weakest(self) -> float:
        """The least confidence of a best hit that is a likely match.

        Only for a query with ``has_confidence``.
        """
        assert self.calibration is not None and self.kind is not None
        return self.calibration.weakest(self.kind, self.query.sentence, self.n_gallery)

    def check_confidence(self, model: str) -> None:
        """Raise ``UserError`` if hits have no confidence.

        It is for searches with a minimum confidence. ``model`` is the name of the library's model.
        """
        if self.has_confidence:
            return
        fact = (
            f"the model {model} has no calibration, so its hits have no confidence"
            if self.calibration is None
            else "only hits of one sentence or one photo have a confidence"
        )
        raise UserError(f"{fact}; search without --min-confidence")

    def confidences(self, vector: NDArray[np.float32], scores: Sequence[float]) -> NDArray[np.float64] | None:
        """Return the (k,) confidences of hits with these scores.

        ``vector`` is the (D,) vector of the query. None if its hits have no confidence.
        """
        if self.calibration is None or self.kind is None:
            return None
        return self.calibration.confidences(self.kind, vector, self.query.sentence, scores, self.n_gallery)

    def matches_well(self, hits: Sequence[Hit]) -> bool | None:
        """Judge whether the best hit is a likely match.

        None if this is unknown, because hits have no confidence.
        """
        if self.query.terms and not hits and self.calibration is not None and self.n_gallery:
            return False
        best = max((hit.confidence for hit in hits if hit.confidence is not None), default=None)
        if self.kind is None or best is None or self.calibration is None:
            return None
        if (hits[0].words or 0) >= SURE:
            return True
        return self.calibration.matches_well(self.kind, self.query.sentence, best, self.n_gallery)

    def n_matching(self, hits: Sequence[Hit]) -> int | None:
        """Count the hits down to the last likely match.

        None without hits, or if they have no confidence.
        """
        if not hits or not self.has_confidence:
            return None
        weakest = self.weakest
        likely = [(hit.confidence or 0) >= weakest or (hit.words or 0) >= SURE for hit in hits]
        return max((at for at, well in enumerate(likely, start=1) if well), default=0)
