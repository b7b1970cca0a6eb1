"""What a request means in a library, and the answer to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photos
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.reader import Gallery
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.last_search import LastSearch
from twobranch.retrieval.query import Query, parse_query
from twobranch.retrieval.request import (
    LastSearchFeedback,
    PhotoFeedback,
    PhotoNotFoundError,
    SearchRequest,
    resolve,
)
from twobranch.retrieval.terms import Item, ItemTerm, PictureTerm, TextTerm

PNG = Filters(formats=("png",))


@pytest.fixture
def engine(library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path) -> Iterator[SearchEngine]:
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\tcaption\nred.png\tred\nblue.png\tblue\n")
    update_library(library, [photos], encoder, captions=captions)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        yield engine


def meaning(engine: SearchEngine, request: SearchRequest) -> tuple[Query, Gallery]:
    return resolve(request, engine.library, engine.catalog, engine.model)


def save_last(engine: SearchEngine, query: Query, gallery: Gallery, hits: tuple[int, ...]) -> None:
    LastSearch.of(query, gallery, hits, engine.catalog, engine.model).save(engine.library)


def test_a_request_for_nothing_is_for_the_newest_photos(engine: SearchEngine) -> None:
    answer = engine.answer(SearchRequest())
    assert [hit.score for hit in answer.hits] == [None] * 3
    assert (answer.gallery, answer.n_gallery, answer.matches_well) == ("images", 3, None)


def test_the_last_search_lends_what_a_request_does_not_say(engine: SearchEngine) -> None:
    save_last(engine, parse_query(["red"], filters=PNG), "captions", (2, 1))
    again = LastSearchFeedback()
    query, gallery = meaning(engine, SearchRequest(feedback=again))
    assert (query.sentence, query.filters, gallery) == ("red", PNG, "captions")
    jpeg = Filters(formats=("jpg",))
    query, gallery = meaning(engine, SearchRequest(feedback=again, filters=jpeg, gallery="images"))
    assert (query.sentence, query.filters, gallery) == ("red", jpeg, "images")
    query, gallery = meaning(engine, SearchRequest(("blue",), feedback=again))
    assert (query.sentence, query.filters, gallery) == ("blue", Filters(), "captions")


def test_hits_are_liked_by_rank_and_photos_by_id(engine: SearchEngine) -> None:
    save_last(engine, parse_query(["red"]), "captions", (2, 1))
    query, _ = meaning(engine, SearchRequest(feedback=LastSearchFeedback((1,), (2,))))
    assert query.terms[1:] == (ItemTerm(Item("captions", 2), 0.3), ItemTerm(Item("captions", 1), -0.1))
    with pytest.raises(UserError, match="there is no hit 3"):
        meaning(engine, SearchRequest(feedback=LastSearchFeedback((3,))))
    photo = engine.search("blue")[0]
    assert photo.photo is not None
    query, _ = meaning(engine, SearchRequest(("red",), feedback=PhotoFeedback((photo.photo,))))
    assert query.terms == (TextTerm("red"), ItemTerm(Item("images", photo.id), 0.3))
    with pytest.raises(PhotoNotFoundError, match="no photo 99"):
        meaning(engine, SearchRequest(feedback=PhotoFeedback((), (99,))))


LIKE_FIRST = LastSearchFeedback((1,))


def test_hits_stay_known_as_the_library_grows(
    engine: SearchEngine, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    save_last(engine, parse_query(["red"]), "images", (1,))
    before, _ = meaning(engine, SearchRequest(feedback=LIKE_FIRST))
    write_photos(photos, {"more.png": "red"})
    update_library(library, [photos], encoder)
    assert meaning(engine, SearchRequest(feedback=LIKE_FIRST)) == (before, "images")


def test_hits_of_a_library_that_was_made_anew_are_refused(
    engine: SearchEngine, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    """The first photo of the new catalogue has the id of the first one of the old."""
    save_last(engine, parse_query(["red"]), "images", (1,))
    refined, _ = meaning(engine, SearchRequest(feedback=LIKE_FIRST))
    for file in library.glob("catalog.sqlite*"):
        file.unlink()
    (photos / "blue.png").unlink()
    update_library(library, [photos], encoder)
    with SearchEngine.open(library, load=lambda model: encoder) as anew:  # type: ignore[arg-type,return-value]
        with pytest.raises(UserError, match=r"the library was rebuilt .*; search anew"):
            anew.answer(SearchRequest(feedback=LIKE_FIRST))
        assert anew.answer(SearchRequest(feedback=LastSearchFeedback())).query.sentence == "red"  # has no ids
        LastSearch(refined, "images", ()).save(library)  # a query with ids, as 0.2 saved it: without states
        with pytest.raises(UserError, match="search anew"):
            anew.answer(SearchRequest(feedback=LastSearchFeedback()))
        assert anew.answer(SearchRequest(("blue",), feedback=LastSearchFeedback())).query.sentence == "blue"


def test_feedback_alone_cannot_only_lead_away(engine: SearchEngine) -> None:
    save_last(engine, parse_query([], filters=PNG), "images", (1,))
    for feedback in (LastSearchFeedback((), (1,)), PhotoFeedback((), (1,))):
        with pytest.raises(UserError, match="cannot have only disliked hits"):
            engine.answer(SearchRequest(feedback=feedback))


def test_a_picture_is_one_more_term(engine: SearchEngine, encoder: FakeEncoder) -> None:
    picture = PictureTerm(encoder.encode_texts(["green"])[0].tobytes())
    query, _ = meaning(engine, SearchRequest(("red",), picture=picture))
    assert query.terms == (TextTerm("red"), picture)
    assert str(engine.answer(SearchRequest(picture=picture, top=1)).hits[0].path).endswith("green.png")


def test_without_correction_mistyped_words_are_only_said(engine: SearchEngine) -> None:
    fixed = engine.answer(SearchRequest(("red motorcylce",)))
    kept = engine.answer(SearchRequest(("red motorcylce",), correct=False))
    assert (str(fixed.query), str(kept.query)) == ("red motorcycle", "red motorcylce")
    assert fixed.corrections == kept.corrections != ()
    assert [answer.as_json()["corrections"][0]["used"] for answer in (fixed, kept)] == [True, False]
    assert fixed.unknown_words == kept.unknown_words == ("motorcylce",)


def test_filters_that_let_nothing_through_are_told_from_no_match(engine: SearchEngine) -> None:
    nothing = engine.answer(SearchRequest(("red",), filters=Filters(paths=("nowhere",))))
    some = engine.answer(SearchRequest(("red",), filters=PNG))
    assert (nothing.hits, nothing.filters_exclude_all, nothing.matches_well) == ([], True, None)
    assert (len(some.hits), some.filters_exclude_all) == (3, False)
