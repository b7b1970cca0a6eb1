"""A query is read in one language: the one that is asked for, or the one that its words tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import Bilingual, FakeEncoder
from tests.indexing import index
from twobranch.common.errors import UserError
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.last_search import LastSearch
from twobranch.retrieval.request import LastSearchFeedback, SearchRequest


@pytest.fixture
def engine(library: Path, photos: Path) -> SearchEngine:
    encoder = Bilingual()
    index(library, photos, encoder)
    return SearchEngine.open(library, load=lambda model: encoder)  # type: ignore[arg-type,return-value]


def best(engine: SearchEngine, request: SearchRequest) -> tuple[str | None, str]:
    answer = engine.answer(request)
    path = answer.hits[0].path
    assert path is not None and answer.as_json()["language"] == answer.language
    return answer.language, path.name


def test_the_words_tell_the_language(engine: SearchEngine) -> None:
    assert best(engine, SearchRequest(("grün",))) == ("de", "green.png")
    assert best(engine, SearchRequest(("green",))) == ("en", "green.png")


def test_all_terms_are_read_in_one_language(engine: SearchEngine) -> None:
    """ "blau" is German, so "rot" beside it is, too; "rot" in an English query would be unknown."""
    answer = engine.answer(SearchRequest(("2:rot",), plus=("blau",)))
    assert answer.language == "de" and answer.unknown_words == ()
    assert answer.hits[0].path is not None and answer.hits[0].path.name == "red.png"


def test_a_language_can_be_asked_for(engine: SearchEngine) -> None:
    answer = engine.answer(SearchRequest(("rot blue",), language="en"))
    assert (answer.language, answer.unknown_words) == ("en", ("rot",))


def test_without_words_there_is_none(engine: SearchEngine) -> None:
    assert engine.answer(SearchRequest()).language is None


def test_the_last_search_is_refined_in_its_language(engine: SearchEngine) -> None:
    first = engine.answer(SearchRequest(("rot",), language="de"))
    hits = [hit.id for hit in first.hits]
    LastSearch.of(first.query, first.gallery, hits, engine.catalog, engine.model).save(engine.library)
    again = engine.answer(SearchRequest(feedback=LastSearchFeedback(liked=(1,))))
    assert again.language == "de"


@pytest.mark.parametrize("language", ["", "xx", "DE", "deutsch"])
def test_an_unknown_language_is_one_line(engine: SearchEngine, language: str) -> None:
    with pytest.raises(UserError, match="no such language; known are en, de, fr"):
        engine.answer(SearchRequest(("rot",), language=language))


def test_a_model_of_english_alone_says_so(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    engine = SearchEngine.open(library, load=lambda model: encoder)  # type: ignore[arg-type,return-value]
    assert engine.answer(SearchRequest(("red",), language="en")).language == "en"
    with pytest.raises(UserError, match="the model fake reads English only"):
        engine.answer(SearchRequest(("rot",), language="de"))
