"""Searches with a date in their words, among photos whose dates and names a reader can see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tests.fakes import FakeEncoder, write_photo
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import Filters, NamedDates
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.date_filter import with_dates
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.last_search import LastSearch
from twobranch.retrieval.query import Query, parse_query
from twobranch.retrieval.request import LastSearchFeedback, SearchRequest

# The files were written on 1 February 2010. Of two photos of one colour, "red" finds both with equal scores.
WRITTEN = datetime(2010, 2, 1, 12)
TAKEN = {
    "summer.png": ("red", datetime(2019, 7, 4)),
    "christmas.png": ("red", datetime(2018, 12, 24, 18)),
    "winter.png": ("blue", datetime(2019, 1, 20)),
    "norway 2021/scan.png": ("red", None),
    "norway 2021/boat.png": ("blue", datetime(2021, 8, 1)),
    "2020-06 lake/scan.png": ("blue", None),
    "undated.png": ("green", None),
}


@pytest.fixture
def engine(library: Path, tmp_path: Path, encoder: FakeEncoder) -> Iterator[SearchEngine]:
    for name, (colour, taken) in TAKEN.items():
        exif = Image.Exif()
        if taken is not None:
            exif[ExifTags.Base.DateTime] = f"{taken:%Y:%m:%d %H:%M:%S}"
        path = write_photo(tmp_path / "photos" / name, colour, exif=exif)
        os.utime(path, (WRITTEN.timestamp(),) * 2)
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\tcaption\nsummer.png\tred in 2005\n")
    update_library(library, [tmp_path / "photos"], encoder, captions=captions)  # type: ignore[arg-type]
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        yield engine


def names(answer: Answer) -> list[str]:
    """The paths of the photos below ``photos``."""
    return [str(hit.path).split("/photos/")[1] for hit in answer.hits]


def search(engine: SearchEngine, *words: str, collapse: bool = False, **options: object) -> Answer:
    return engine.answer(SearchRequest(words, collapse=collapse, **options))  # type: ignore[arg-type]


def test_the_words_of_a_date_are_a_filter(engine: SearchEngine) -> None:
    answer = search(engine, "red summer 2019")
    assert (names(answer), answer.query.sentence) == (["summer.png"], "red")
    assert answer.dates is not None
    assert str(answer.dates) == "summer 2019 = 2019-06-01 to 2019-09-01"
    assert answer.as_json()["dates"] == {
        "words": "summer 2019", "after": "2019-06-01", "before": "2019-09-01", "yearly": None, "used": True,
    }  # fmt: skip


def test_a_date_alone_finds_its_photos_the_newest_first(engine: SearchEngine) -> None:
    answer = search(engine, "winter 2018")  # January and February of 2018 and 2019, and December between
    assert names(answer) == ["winter.png", "christmas.png"]
    assert [hit.score for hit in answer.hits] == [None, None]
    assert (answer.query.terms, answer.language) == ((), None)


def test_an_album_with_a_year_in_its_name_keeps_photos_of_other_dates(engine: SearchEngine) -> None:
    """The scans have the date of their file."""
    assert sorted(names(search(engine, "blue norway 2021"))) == [
        "norway 2021/boat.png",
        "norway 2021/scan.png",
    ]
    assert names(search(engine, "june 2020")) == ["2020-06 lake/scan.png"]
    assert names(search(engine, "juni 2020", language=None)) == ["2020-06 lake/scan.png"]


def test_an_album_comes_before_photos_that_only_have_its_dates(
    engine: SearchEngine, tmp_path: Path, encoder: FakeEncoder
) -> None:
    """Its name has the whole query, as the words for dates count in names all the same."""
    for album, copied in (("norway 2019", datetime(2021, 5, 1)), ("norway 2021", WRITTEN)):
        path = write_photo(tmp_path / "photos" / album / "sea.png", "blue")
        os.utime(path, (copied.timestamp(),) * 2)
    update_library(engine.library, [tmp_path / "photos"], encoder)  # type: ignore[arg-type]
    engine.refresh()
    found = names(search(engine, "blue norway 2021"))
    assert found[:3] == ["norway 2021/boat.png", "norway 2021/sea.png", "norway 2019/sea.png"]


def test_a_caption_that_names_the_date_lets_its_photo_pass(engine: SearchEngine) -> None:
    assert names(search(engine, "2005")) == ["summer.png"]


def test_pixels_alone_are_filtered_by_dates_alone(engine: SearchEngine) -> None:
    answer = search(engine, "blue 2021", ranking="visual")
    assert names(answer) == ["norway 2021/boat.png"]


def test_a_photo_without_a_date_has_that_of_its_file(engine: SearchEngine) -> None:
    answer = search(engine, "february 2010")
    assert sorted(names(answer)) == ["2020-06 lake/scan.png", "norway 2021/scan.png", "undated.png"]
    assert {(hit.date, hit.date_from) for hit in answer.hits} == {(WRITTEN, "file")}
    (summer,) = search(engine, "summer 2019").hits
    assert (summer.date, summer.date_from) == (datetime(2019, 7, 4), "photo")


def test_dates_of_no_photo_are_searched_for_as_words(engine: SearchEngine) -> None:
    answer = search(engine, "red summer 1999")
    assert (len(answer.hits), answer.query.sentence, answer.filters_exclude_all) == (
        7,
        "red summer 1999",
        False,
    )
    assert answer.dates is not None and not answer.dates.used


@pytest.mark.parametrize(
    "request_",
    [
        SearchRequest(("red 2019",), dates=False),
        SearchRequest(("red 2019",), filters=Filters(after=datetime(2018, 1, 1))),  # said otherwise
        SearchRequest(("red 2019",), gallery="captions"),  # whose words these are
        SearchRequest(("red 2019",), ranking="words"),
    ],
)
def test_searches_that_keep_the_words(engine: SearchEngine, request_: SearchRequest) -> None:
    answer = engine.answer(request_)
    assert (answer.query.sentence, answer.dates) == ("red 2019", None)


def test_dates_are_not_blamed_for_what_other_filters_exclude(engine: SearchEngine) -> None:
    """No photo is by this camera, of whatever date."""
    answer = search(engine, "red 1999", filters=Filters(cameras=("nikon",)))
    assert (answer.hits, answer.filters_exclude_all) == ([], True)
    assert answer.dates is not None and answer.dates.used


LIKE_FIRST = LastSearchFeedback(liked=(1,))


def refine(engine: SearchEngine, last: Answer, feedback: LastSearchFeedback, **options: object) -> Answer:
    """Refine a search as the next command does."""
    ids = [hit.id for hit in last.hits]
    LastSearch.of(last.typed, last.gallery, ids, engine.catalog, engine.model).save(engine.library)
    return search(engine, feedback=feedback, **options)


def test_the_search_is_refined_among_the_same_dates(engine: SearchEngine) -> None:
    first = search(engine, "red summer 2019")
    again = refine(engine, first, LIKE_FIRST)
    assert (names(again), again.dates) == (["summer.png"], first.dates)
    twice = refine(engine, again, LIKE_FIRST)
    assert (names(twice), twice.dates, len(twice.query.items)) == (["summer.png"], first.dates, 2)


def test_a_refined_search_without_dates_has_all_words(engine: SearchEngine) -> None:
    without = refine(engine, search(engine, "red summer 2019"), LIKE_FIRST, dates=False)
    assert (without.query.texts, without.dates, len(without.hits)) == (("red summer 2019",), None, 7)


def test_another_filter_keeps_the_dates(engine: SearchEngine) -> None:
    """Of 2019 are summer.png and winter.png, whatever the path."""
    first = search(engine, "red 2019")
    again = refine(engine, first, LIKE_FIRST, filters=Filters(not_paths=("winter.png",)))
    assert (names(again), again.query.texts, again.dates) == (["summer.png"], ("red",), first.dates)


def test_captions_are_searched_for_the_words_of_dates(engine: SearchEngine) -> None:
    captions = refine(engine, search(engine, "red summer 2019"), LIKE_FIRST, gallery="captions")
    assert (captions.query.texts, captions.query.filters) == (("red summer 2019",), Filters())
    assert ([hit.caption for hit in captions.hits], captions.dates) == (["red in 2005"], None)


def test_dates_alone_cannot_only_lead_away_from_hits(engine: SearchEngine) -> None:
    first = search(engine, "2019")
    with pytest.raises(UserError, match="cannot have only disliked hits"):
        refine(engine, first, LastSearchFeedback(disliked=(1,)))
    both = refine(engine, first, LastSearchFeedback(liked=(1,), disliked=(2,)))
    assert (both.query.texts, both.dates) == ((), first.dates)


def test_a_query_with_dates_is_read_back_from_json() -> None:
    query = with_dates(parse_query(["red winter 2018"]), date(2026, 11, 28), texts=True)
    assert query.filters.dates == NamedDates(
        "winter 2018",
        datetime(2018, 1, 1),
        datetime(2019, 3, 1),
        ("12-01", "03-01"),
        (("winter",), ("2018",)),
    )
    assert Query.from_json(query.as_json()) == query


def test_only_what_is_looked_for_names_dates() -> None:
    def dated(*words: str) -> bool:
        return with_dates(parse_query(words), date(2026, 11, 28), texts=True).filters.dates is not None

    assert dated("red", "+", "june 2020")
    assert not dated("red", "-", "june 2020")  # to get away from
    assert not dated("red 2019", "+", "june 2020")  # two dates
    assert not dated("june 2020", "-", "red")  # nothing to look for would be left
