"""The places of a query's phrases in the photos of its hits: found, and shown."""

from __future__ import annotations

import base64
import io
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes import RecordedProgress, write_photo
from twobranch.common.errors import ImageError, UserError
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.display.contact_sheet import write_sheet
from twobranch.retrieval.display.tables import hit_places_text, hit_table, places_found, where_text
from twobranch.retrieval.display.terminal import Graphics, thumbnail_rows
from twobranch.retrieval.hit_places import HitPlaces, locate_hits, phrases_of
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.query import Query, parse_query
from twobranch.retrieval.terms import PhotoTerm, TextTerm
from twobranch.retrieval.understanding import NotUnderstood
from twobranch.retrieval.where.heat_map import HeatMap
from twobranch.retrieval.where.locator import Located, PhraseMap, Region

HEAT = np.array([[1, 0], [0, 0]], dtype=np.float32)


def located(*phrases: str, fits: bool = True) -> Located:
    """A photo of 80 x 40 pixels, hot in its upper left quarter."""
    region = Region((0, 0, 40, 20), 0.5, 0.97)
    heat = HEAT if fits else 0 * HEAT
    found = (PhraseMap(one, HeatMap(heat, heat), (region,) * fits) for one in phrases)
    return Located(80, 40, tuple(found))


def answer(query: Query, **values: object) -> Answer:
    return Answer(
        **{"query": query, "typed": query, "gallery": "images", "language": "en", "hits": [], "n_gallery": 3}
        | values
    )  # type: ignore[arg-type]


def test_phrases_are_the_sentences_that_a_query_moves_towards() -> None:
    assert phrases_of(answer(parse_query(["a", "dog"]))) == ("a dog",)
    assert phrases_of(answer(parse_query(["dog", "+", "2:a ball", "-", "snow"]))) == ("dog", "a ball")
    mixed = Query((TextTerm("dog"), PhotoTerm(Path("a.jpg")), TextTerm("snow", -1.0)))
    assert phrases_of(answer(mixed)) == ("dog",)


def test_other_searches_have_none() -> None:
    dog = parse_query(["dog"])
    with pytest.raises(UserError, match="looks for words in photos"):
        phrases_of(answer(Query((PhotoTerm(Path("a.jpg")),))))
    with pytest.raises(UserError, match="looks for words in photos"):
        phrases_of(answer(Query()))
    with pytest.raises(UserError, match="looks into photos"):
        phrases_of(answer(dog, gallery="captions"))
    with pytest.raises(UserError, match="'dog' has no word of any language; use other words"):
        phrases_of(answer(dog, not_understood=NotUnderstood("dog", "gibberish")))
    # In an unknown language a known word may be meant: its pixels are searched, and looked at.
    assert phrases_of(answer(dog, not_understood=NotUnderstood("dog", "unknown_language"))) == ("dog",)


def test_each_photo_is_looked_at_and_the_order_stays(tmp_path: Path) -> None:
    hits = [Hit(rank, 0.5, write_photo(tmp_path / f"{rank}.png", "red"), None) for rank in (1, 2, 3)]
    first = threading.Event()

    def locate(data: bytes, hit: Hit) -> Located:
        assert hit.path is not None and data == hit.path.read_bytes()
        if hit.rank == 1 and threading.active_count() > 2:
            first.wait(10)  # is done last, where there are several threads
        first.set()
        return located(str(hit.rank))

    progress = RecordedProgress()
    found = locate_hits(hits, locate, progress)
    assert [(rank, one.located.phrases[0].phrase) for rank, one in found.items() if one.located] == [
        (1, "1"), (2, "2"), (3, "3"),
    ]  # fmt: skip
    assert progress.work == [("photos", 3)] and progress.done == [3] and not progress.running


def test_a_photo_that_cannot_be_read_has_the_reason(tmp_path: Path) -> None:
    def damaged(data: bytes, hit: Hit) -> Located:
        raise ImageError(hit.path or "", "truncated")

    there = write_photo(tmp_path / "a.png", "red")
    hits = [
        Hit(1, 0.5, there, None),
        Hit(2, 0.5, tmp_path / "gone.png", None),
        Hit(3, 0.5, there, None, content="0" * 16),
        Hit(4, 0.5, None, None),
    ]
    found = locate_hits(hits, damaged)
    assert [one.reason for one in found.values()] == [
        "truncated",
        "no such file",
        "changed since it was indexed; run `index`",
        "the photo is not in the library",
    ]
    assert found[2].as_json() == {"where": None, "where_failed": "no such file"}
    assert HitPlaces(located("dog")).as_json() == {"where": located("dog").as_json()}


def test_other_errors_end_the_search(tmp_path: Path) -> None:
    def unknown(data: bytes, hit: Hit) -> Located:
        raise UserError("the model knows no word of this query")

    hits = [Hit(rank, 0.5, write_photo(tmp_path / f"{rank}.png", "red"), None) for rank in range(1, 9)]
    progress = RecordedProgress()
    with pytest.raises(UserError, match="knows no word"):
        locate_hits(hits, unknown, progress)
    assert not progress.running


def test_places_as_text() -> None:
    assert hit_places_text(HitPlaces(located("dog"))) == "0,0 to 40,20  97%"
    assert hit_places_text(HitPlaces(located("dog", fits=False))) == "nothing fits"
    assert hit_places_text(HitPlaces(None, "no such file")) == "no such file"
    two = Located(80, 40, (*located("dog").phrases, *located("ball", fits=False).phrases))
    assert hit_places_text(HitPlaces(two)) == "dog: 0,0 to 40,20  97%; ball: nothing fits"
    assert places_found(two.phrases[0]) == "1 place: 97%"
    assert where_text(two).splitlines() == [
        "dog:",
        "score  confidence  box",
        "0.500  97%         0,0 to 40,20",
        "ball: nothing in this photo fits (<1% at most)",
    ]
    assert where_text(located("a\x1bb")).startswith("a?b:\n")


def test_the_table_has_a_column_of_places(tmp_path: Path) -> None:
    hits = [Hit(1, 0.5, tmp_path / "a.png", None)]
    header, row = hit_table(hits, captions=False, places={1: HitPlaces(located("dog"))}).splitlines()
    assert header.split() == ["rank", "score", "where", "path"]
    assert row == f"1     0.500  0,0 to 40,20  97%  {tmp_path}/a.png"


def test_a_sheet_has_a_second_picture_where_something_fits(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png", "black", (320, 160))
    hits = [Hit(rank, 0.5, photo, None) for rank in (1, 2, 3)] + [Hit(4, 0.5, tmp_path / "no.png", None)]
    places = {
        1: HitPlaces(located("<b>", "ball")),
        2: HitPlaces(located("dog", fits=False)),
        4: HitPlaces(None, "no such file"),
    }
    write_sheet(tmp_path / "a.html", "dog", hits, places=places)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    cards = page.split("<figure")[1:]
    assert [card.count("<img") for card in cards] == [2, 1, 1, 0]
    assert [card.count("<input") for card in cards] == [1, 0, 0, 0]
    assert "&lt;b&gt;: 1 place: 97%" in cards[0] and "ball: 1 place: 97%" in cards[0]
    assert "nothing in this photo fits" in cards[1]
    assert cards[3].count("no such file") == 1
    (heated,) = re.findall(r'base64,([^"]*)" [^>]* class="map"', page)
    image = Image.open(io.BytesIO(base64.b64decode(heated))).convert("L")
    bright, dark = image.getpixel((80, 50)), image.getpixel((280, 140))
    assert isinstance(bright, int) and isinstance(dark, int) and bright > 100 and dark < 20


def test_terminals_show_heat_maps(tmp_path: Path) -> None:
    hits = [Hit(1, 0.5, write_photo(tmp_path / "a.png", "black", (80, 40)), None)]
    (plain,) = thumbnail_rows(hits, Graphics.KITTY, columns=16)
    (heated,) = thumbnail_rows(hits, Graphics.KITTY, 16, places={1: HitPlaces(located("dog"))})
    (cold,) = thumbnail_rows(hits, Graphics.KITTY, 16, places={1: HitPlaces(located("dog", fits=False))})
    assert heated != plain == cold
