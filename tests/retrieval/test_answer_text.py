"""Verdicts and remarks in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from twobranch.indexer.catalog.filters import Filters
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.display.answer_text import remarks, verdict_sentence
from twobranch.retrieval.hits import Hit, Tier
from twobranch.retrieval.query import Query
from twobranch.retrieval.spelling import Correction
from twobranch.retrieval.terms import TextTerm
from twobranch.retrieval.understanding import NotUnderstood

DOG = Query((TextTerm("dog"),))


def answer(*tiers: Tier | None, query: Query = DOG, n_gallery: int = 100, **facts: Any) -> Answer:
    """An answer whose hits have these tiers."""
    hits = [Hit(rank, 0.5, None, None, tier=tier) for rank, tier in enumerate(tiers, start=1)]
    return Answer(query, query, "images", "en", hits, n_gallery, **facts)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (answer("likely", "rest", matches_well=True), "1 photo is likely to match."),
        (
            answer("likely", "likely", "perhaps", matches_well=True),
            "2 photos are likely to match; 1 more perhaps does.",
        ),
        (
            answer("likely", "likely", matches_well=True),
            "All 2 photos are likely to match; there may be more.",
        ),
        (answer("likely", matches_well=True), "This photo is likely to match."),
        (
            answer("perhaps", "perhaps", "rest", matches_well=True),
            "No photo is likely to match; 2 perhaps do.",
        ),
        (answer("rest", matches_well=False), "No photo matches well; these are only the nearest."),
        (answer(matches_well=False), "No photo was found."),
        (answer(None, None), "The best come first; how well they match is not known."),
        (answer(n_gallery=0), "There is nothing to search: no photos are indexed."),
        (answer(filters_exclude_all=True), "No photo passes the filters."),
        (answer(None, query=Query()), "These are the newest photos."),
        (
            answer(None, query=Query(filters=Filters(cameras=("Pixel",)))),
            "These are the newest photos that pass the filters.",
        ),
        (
            answer("rest", not_understood=NotUnderstood("qqq", "gibberish")),
            "'qqq' has no word of any language; only names, folders, keywords and captions are searched.",
        ),
    ],
)
def test_a_verdict_is_one_plain_sentence(given: Answer, sentence: str) -> None:
    assert verdict_sentence(given) == sentence


def test_remarks_say_what_was_read_otherwise() -> None:
    corrections = (Correction("dgo", ("dog",), True), Correction("snwo", ("snow", "sno"), False))
    found = remarks(answer(unknown_words=("blorp",), corrections=corrections))
    assert found == [
        "the model does not know 'blorp'",
        "searched for 'dog' instead of 'dgo'",
        "'snwo' may be misspelt: 'snow' or 'sno'?",
    ]
    assert remarks(answer("likely")) == []
