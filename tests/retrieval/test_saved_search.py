"""Saved searches: from options to an address and back to a request."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import Filters
from twobranch.retrieval.query import Query, parse_query
from twobranch.retrieval.request import PhotoFeedback, SearchRequest
from twobranch.retrieval.saved_search import saved_query, saved_request
from twobranch.retrieval.terms import PhotoTerm
from twobranch.server.api.search import SearchParameters


def test_words_and_options_as_an_address() -> None:
    query = parse_query(["2:a", "dog", "+", "snow", "-", "fruit & co"])
    options = {"album": ["Rome", "Paris"], "rating": "4+", "favourite": "false", "after": None, "shape": []}
    # "4+" has a plus sign, which would be a space
    assert saved_query(query, options) == (
        "q=2%3Aa+dog+%2B+snow+-+fruit+%26+co&album=Rome&album=Paris&rating=4%2B&favourite=false"
    )


def test_a_saved_search_asks_what_the_page_asks() -> None:
    values = {
        "q": "2:a dog + snow", "after": "2023-06", "before": "2024", "path": ["holiday/**"],
        "not_path": ["raw"],
        "camera": ["Pixel"], "near": "48.85,2.35", "within": "20km", "shape": "portrait", "min_size": "2MP",
        "format": ["png"], "album": ["Rome"], "rating": "4+", "favourite": True, "day": "02-29",
        "in": "captions",
        "sort": "date", "min_confidence": 0.5, "ranking": "visual", "fold": False, "correct": False,
        "dates": False, "language": "de", "like": [7], "unlike": [8], "top": 30,
    }  # fmt: skip
    asked = SearchParameters.model_validate(values).request(None, None)
    assert saved_request(urlencode(values, doseq=True), 30) == asked


def test_what_the_look_of_the_page_is_about_is_left_out() -> None:
    request = saved_request("view=map&photo=7&order=asc&q=dog", 10)
    assert request == SearchRequest(words=("dog",), files=False, gallery="images")


def test_likes_come_back() -> None:
    request = saved_request("like=7&like=x&unlike=8", 10)
    assert request.feedback == PhotoFeedback((7,), (8,))


@pytest.mark.parametrize(
    "query", ["picture=abc", "after=soon", "min_confidence=x", "rating=9", "box=1,2,3,4"]
)
def test_searches_that_cannot_be_run_here(query: str) -> None:
    with pytest.raises(UserError):
        saved_request(query, 10)


def test_a_search_with_a_photo_is_not_saved() -> None:
    with pytest.raises(UserError, match="cannot be saved"):
        saved_query(Query((PhotoTerm(Path("/a.jpg")),), Filters()), {})
