"""Words of a command line, and what they mean."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import Filters, NamedDates, Place
from twobranch.retrieval.query import MOST_CHARACTERS, Query, parse_query, with_feedback
from twobranch.retrieval.terms import Item, ItemTerm, PhotoTerm, PictureTerm, TextTerm


def test_words_are_one_sentence() -> None:
    query = parse_query(["red", "car  on", "a street"])
    assert query == Query((TextTerm("red car on a street"),))
    assert (query.sentence, query.is_photo, str(query)) == (
        "red car on a street",
        False,
        "red car on a street",
    )


def test_a_path_is_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cat.jpg").touch()
    for word in ("cat.jpg", "./cat.jpg", str(tmp_path / "cat.jpg")):
        query = parse_query([word])
        assert (query.photos, query.is_photo) == ((Path(word),), True)


def test_a_server_takes_paths_for_words(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").touch()
    for text in (str(tmp_path / "cat.jpg"), "./cat.jpg", "~/cat.jpg", "cat.jpg"):
        assert parse_query([text], files=False).terms == (TextTerm(text),)
    terms = parse_query(["a dog + ./cat.jpg"], files=False).terms
    assert terms == (TextTerm("a dog"), TextTerm("./cat.jpg"))


def test_a_sentence_may_end_like_a_file_name() -> None:
    assert parse_query(["a file called cat.jpg"]).sentence == "a file called cat.jpg"


def test_arithmetic_as_rclip_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pool.jpg").touch()
    query = parse_query(["2:golden retriever", "+", "./pool.jpg", "-", "fruit"])
    assert query.terms == (
        TextTerm("golden retriever", weight=2),
        PhotoTerm(Path("./pool.jpg")),
        TextTerm("fruit", weight=-1),
    )
    assert (query.sentence, query.is_photo) == (None, False)
    assert str(query) == "2:golden retriever + pool.jpg - fruit"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["dog", "in", "snow", "-", "0.5:two", "dogs"], [("dog in snow", 1), ("two dogs", -0.5)]),
        (["dog + 3:snow - fruit"], [("dog", 1), ("snow", 3), ("fruit", -1)]),  # in quotes, or from a page
        (["+", "dog"], [("dog", 1)]),
        (["t-shirt and C++"], [("t-shirt and C++", 1)]),  # such signs do not stand alone
        (["-", "fruit", "+", "dog"], [("fruit", -1), ("dog", 1)]),
    ],
)
def test_signs_that_stand_alone_part_the_terms(words: list[str], expected: list[tuple[str, float]]) -> None:
    assert parse_query(words).terms == tuple(TextTerm(*term) for term in expected)


def test_signs_in_the_name_of_a_photo_are_part_of_it(tmp_path: Path) -> None:
    photo = tmp_path / "Artist - Song + more.jpg"
    photo.touch()
    assert parse_query([str(photo), "-", "snow"]).terms == (PhotoTerm(photo), TextTerm("snow", weight=-1))
    assert parse_query([f"2:{photo}"]).terms == (PhotoTerm(photo, weight=2),)


def test_plus_and_minus_for_scripts() -> None:
    query = parse_query(["dog"], plus=["snow", "2:sun"], minus=["fruit - salad"])
    assert query.terms == (
        TextTerm("dog"),
        TextTerm("snow"),
        TextTerm("sun", 2),
        TextTerm("fruit - salad", -1),  # as it is: a script need not mind signs
    )


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["./no.jpg"], "no such photo"),
        (["no.jpg"], "no such photo"),
        (["./no.jpg", "dog"], "a photo in a sentence; write \\+ between"),
        (["/"], "is a folder"),
        ([" "], "empty query"),
        ([], "empty query"),
        (["dog", "-"], "nothing follows the '-'"),
        (["dog", "+", "-", "fruit"], "nothing follows the '\\+'"),
        (["-", "fruit"], "cannot have only negative terms"),
        (["2:"], "2:"),
    ],
)
def test_mistakes_are_named(words: list[str], fact: str) -> None:
    if words == ["2:"]:
        assert parse_query(words).sentence == "2:"  # a weight of nothing is no weight
        return
    with pytest.raises(UserError, match=fact):
        parse_query(words)


def test_a_very_long_sentence_is_a_sentence() -> None:
    text = "word " * 390 + ".jpg"
    assert parse_query([text]).sentence == text


def test_a_query_has_a_length_that_photos_do_not_count_for(tmp_path: Path) -> None:
    photo = tmp_path / "cat.jpg"
    photo.touch()
    assert parse_query(["a" * MOST_CHARACTERS]).sentence == "a" * MOST_CHARACTERS
    assert len(parse_query([part for _ in range(200) for part in (str(photo), "+")][:-1]).photos) == 200
    half = "a " * (MOST_CHARACTERS // 4)
    assert len(parse_query([half], plus=[half]).terms) == 2
    for words, plus in (
        (["a" * 16_000], []),
        (["a" * 100_000, "+", str(photo)], []),
        ([half, half], ["a"]),
        (["a"] * (MOST_CHARACTERS + 1), []),
    ):
        with pytest.raises(UserError, match=r"a query of [\d,]+ characters; .* 2,000 or fewer") as error:
            parse_query(words, plus)
        assert len(str(error.value)) < 100


@pytest.mark.parametrize("digits", ["9" * 50, "1" * 1900])
def test_a_weight_is_a_number_one_can_reckon_with(digits: str) -> None:
    """float("9" * 400) is infinite, and infinity times a vector is not a number."""
    with pytest.raises(UserError, match="weight of more than 1,000,000"):
        parse_query([f"{digits}:dog + cat"])
    assert parse_query([digits]).sentence == digits


@pytest.mark.parametrize(
    "word", ["https://example.com/a", "HTTP://example.com/cat.jpg", "ftp://host/a%20b.jpg", "2:https://x.org"]
)
def test_an_address_is_refused_and_nothing_is_asked(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a socket was opened"))
    for words in ([word], ["a dog", "+", word], [f"a dog + {word}"]):
        for files in (True, False):  # without files, as over HTTP
            with pytest.raises(
                UserError, match="is an address; download the picture and search for the file"
            ):
                parse_query(words, files=files)
    with pytest.raises(UserError, match="is an address"):
        parse_query(["dog"], minus=[word])


def test_a_picture_in_an_address_is_refused_in_a_short_line() -> None:
    with pytest.raises(UserError, match=r"^data:image/png;base64,A{58}…: is an address"):  # 80 characters
        parse_query(["data:image/png;base64," + "A" * 100_000])
    assert parse_query(["data: a chart"]).sentence == "data: a chart"
    assert parse_query(["the page at https://example.com"]).sentence == "the page at https://example.com"


def test_the_address_of_a_file_is_its_path(tmp_path: Path) -> None:
    photo = tmp_path / "a cat - 50%.jpg"
    photo.touch()
    assert photo.as_uri().endswith("/a%20cat%20-%2050%25.jpg")
    for word in (photo.as_uri(), photo.as_uri().replace("file://", "FILE://localhost")):
        assert parse_query([word]).terms == (PhotoTerm(photo),)
    with pytest.raises(UserError, match=r"no\.jpg: no such photo"):
        parse_query([(tmp_path / "no.jpg").as_uri()])
    for word, files in ((photo.as_uri(), False), ("file://server/cat.jpg", True)):
        with pytest.raises(UserError, match="is an address"):
            parse_query([word], files=files)


def test_lone_surrogates_are_replaced_in_sentences_and_kept_in_paths(tmp_path: Path) -> None:
    assert parse_query(["dog \udce9"], plus=["\ud800"]).texts == ("dog \ufffd", "\ufffd")
    assert parse_query(["\ud83d\ude00"]).sentence == "\U0001f600"  # the two halves of one character
    photo = tmp_path / "caf\udce9.jpg"
    photo.touch()
    assert parse_query([str(photo)]).photos == (photo,)


def test_filters_alone_are_a_query() -> None:
    filters = Filters(after=datetime(2023, 6, 1))
    assert parse_query([], filters=filters) == Query((), filters)


def test_feedback_moves_towards_the_mean_of_what_was_liked() -> None:
    query = with_feedback(parse_query(["dog"]), [Item("images", 3), Item("images", 5)], [Item("images", 1)])
    assert query.terms[1:] == (
        ItemTerm(Item("images", 3), weight=0.15),  # half of 0.3 each
        ItemTerm(Item("images", 5), weight=0.15),
        ItemTerm(Item("images", 1), weight=-0.1),
    )
    assert str(query) == "dog"


def test_a_query_survives_json(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    filters = Filters(
        after=datetime(2023, 6, 1, 18, 30),
        paths=("holiday/**",),
        near=Place(48.85, 2.35, 20),
        shape="portrait",
        formats=("png",),
    )
    query = with_feedback(
        parse_query(["dog", "+", str(tmp_path / "a.jpg")], filters=filters), [Item("images", 7)], []
    )
    query = replace(query, terms=(*query.terms, PictureTerm(b"\0\0\x80?", 2)))
    assert Query.from_json(json.loads(json.dumps(query.as_json()))) == query


def test_a_query_saved_by_version_0_1_is_read() -> None:
    saved = Query(()).as_json()["filters"]
    terms = [
        {"text": "dog", "photo": None, "item": None, "weight": 1.0},
        {"text": None, "photo": "/a.jpg", "item": None, "weight": 2.0},
        {"text": None, "photo": None, "item": ["images", 7], "weight": -0.1},
    ]
    read = Query.from_json({"terms": terms, "filters": saved})
    assert read.terms == (
        TextTerm("dog"),
        PhotoTerm(Path("/a.jpg"), 2),
        ItemTerm(Item("images", 7), -0.1),
    )


@pytest.mark.parametrize("term", [{"weight": 1}, {"text": 3, "weight": 1}, {"item": ["x", 1], "weight": 1}])
def test_what_is_no_saved_term_is_refused(term: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a query term"):
        Query.from_json({"terms": [term], "filters": Query().as_json()["filters"]})


def test_feedback_cannot_only_lead_away() -> None:
    with pytest.raises(UserError, match="cannot have only disliked hits"):
        with_feedback(Query(), [], [Item("images", 1)])


def test_only_a_sentence_is_matched_with_the_words_of_its_dates() -> None:
    dated = Filters(dates=NamedDates("june 2020", texts=(("june",), ("2020",))))
    assert Query((TextTerm("lake"),), dated).wording == "lake june 2020"
    assert Query((PhotoTerm(Path("lake.jpg")),), dated).wording == ""
    assert Query((), dated).wording == ""
