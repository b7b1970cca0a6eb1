"""The places of a query's phrases in the photos of its hits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from twobranch.common.cpu import usable_cores
from twobranch.common.errors import ImageError, UserError
from twobranch.common.progress import SILENT, Progress, showing
from twobranch.indexer.disk.open import read_file
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.terms import TextTerm
from twobranch.retrieval.where.locator import Located


@dataclass(frozen=True)
class HitPlaces:
    """The places in a hit's photo, or why there are none."""

    located: Located | None
    reason: str = ""

    @property
    def drawn(self) -> Located | None:
        """The places to draw over the photo. None where nothing fits: the photo is shown as it is."""
        has_regions = self.located is not None and any(one.regions for one in self.located.phrases)
        return self.located if has_regions else None

    def as_json(self) -> dict[str, Any]:
        """Return the keys that the hit has beside its own."""
        if self.located is None:
            return {"where": None, "where_failed": self.reason}
        return {"where": self.located.as_json()}


def phrases_of(answer: Answer) -> tuple[str, ...]:
    """Return what is looked for in the photos of hits.

    It is the sentences that the query moves towards. Raises ``UserError`` for a search without any, one for
    captions, and one that pixels cannot answer.
    """
    if answer.gallery != "images":
        raise UserError("--where looks into photos; leave it out, or search without --in captions")
    phrases = tuple(
        term.text for term in answer.query.terms if isinstance(term, TextTerm) and term.weight > 0
    )
    if not phrases:
        raise UserError("--where looks for words in photos; add some to the query, or leave it out")
    if answer.not_understood is not None and answer.not_understood.is_for_words:
        raise UserError(f"--where: {answer.not_understood.fact}; use other words, or leave it out")
    return phrases


def locate_hits(
    hits: Sequence[Hit],
    locate: Callable[[bytes, Hit], Located],
    progress: Progress = SILENT,
) -> dict[int, HitPlaces]:
    """Find the places in the photos of all hits, by rank.

    ``locate`` is called with the bytes of a photo, from as many threads as there are cores. A photo that
    cannot be read any more, or is not the one that was indexed, gives the reason.
    """

    def places(hit: Hit) -> HitPlaces:
        try:
            if hit.path is None:
                raise ImageError("", "the photo is not in the library")
            return HitPlaces(locate(read_file(hit.path, hit.content), hit))
        except ImageError as error:
            return HitPlaces(None, error.reason)

    found: dict[int, HitPlaces] = {}
    threads = ThreadPoolExecutor(usable_cores())
    try:
        with showing(progress, "photos", len(hits)):
            for hit, one in zip(hits, threads.map(places, hits), strict=True):
                found[hit.rank] = one
                progress.advance()
    finally:
        threads.shutdown(cancel_futures=True)  # after Ctrl-C the other photos are not waited for
    return found
