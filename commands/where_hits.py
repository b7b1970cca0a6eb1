"""``search --where``: places of the query in the photos of hits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from twobranch.common.progress import Progress

if TYPE_CHECKING:
    from twobranch.retrieval.answer import Answer
    from twobranch.retrieval.engine import SearchEngine
    from twobranch.retrieval.hit_places import HitPlaces

Where = Annotated[bool, typer.Option("--where", help="Also show where in each photo the words are.")]


def find_places(engine: SearchEngine, answer: Answer, progress: Progress) -> Mapping[int, HitPlaces]:
    """Find the places in the photos of an answer's hits, by rank.

    Raises ``UserError`` for a search without words for photos, and for a model without cells.
    """
    from twobranch.retrieval.hit_places import locate_hits, phrases_of

    phrases = phrases_of(answer)
    locator = engine.locator
    language = answer.query.language
    return locate_hits(
        answer.hits,
        lambda data, hit: locator.locate(data, phrases, name=hit.path or "", language=language),
        progress,
    )
