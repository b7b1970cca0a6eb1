"""Hits that look alike are one hit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.fakes import FakeEncoder, write_photos
from tests.wheelphotos import wheel_photo
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.update.library import update_library
from twobranch.retrieval import collapse as collapse_module
from twobranch.retrieval.collapse import Comparison, Group, collapse, text_kinds
from twobranch.retrieval.engine import SearchEngine


def at(*degrees: float) -> NDArray[np.float32]:
    """Unit vectors in the plane, at these angles: the cosine of two is that of the angle between them."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_hit_goes_under_the_first_it_is_like() -> None:
    # cos 5° is 0.996, cos 85° is 0.09
    assert collapse(at(0, 90, 5, 95, 1), cosine=0.99) == [Group(0, (2, 4)), Group(1, (3,))]


def test_a_row_of_steps_does_not_run_together() -> None:
    # 10° apart, cos 10° is 0.985, cos 20° 0.940: the third is like the second, not like what is shown
    assert collapse(at(0, 10, 20, 30), cosine=0.98) == [Group(0, (1,)), Group(2, (3,))]


def test_all_different_all_the_same_and_none() -> None:
    assert collapse(at(0, 60, 120)) == [Group(0), Group(1), Group(2)]
    assert collapse(at(0, 0, 0)) == [Group(0, (1, 2))]
    assert collapse(at()) == []


def test_pictures_of_text_are_collapsed_only_if_equal() -> None:
    """1° apart, a cosine of 0.9998: as far as two receipts of one shop."""
    rows = at(0, 1, 0, 1, 90, 91, 91)
    text = np.array([True, True, True, False, False, True, False])
    assert text_kinds(rows, text).tolist() == [1, 2, 1, 0, 0, 3, 0]
    # The second, fourth and sixth are not of the kind of what they are near to.
    expected = [Group(0, (2,)), Group(1), Group(3), Group(4, (6,)), Group(5)]
    assert collapse(rows, kinds=text_kinds(rows, text)) == expected
    assert Comparison(lambda ids: rows[list(ids)], lambda rows: text).groups(range(7)) == expected
    assert Comparison(lambda ids: rows[list(ids)], lambda rows: ~text & text).groups(range(7)) == collapse(
        rows
    )


def test_text_is_looked_for_only_among_near_duplicates() -> None:
    def is_text(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        pytest.fail("sentences are encoded for this, which takes time")

    rows = at(0, 60, 120)
    assert Comparison(lambda ids: rows[list(ids)], is_text).groups(range(3)) == collapse(rows)


def test_ranks_far_apart_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collapse_module, "_COMPARED", 2)
    # 0° is two kept hits above 90°, and three above the last one.
    assert collapse(at(0, 45, 0, 90, 0)) == [Group(0, (2,)), Group(1), Group(3), Group(4)]


@pytest.fixture
def engine(library: Path, tmp_path: Path, encoder: FakeEncoder) -> SearchEngine:
    """Five reds, of which the first is the purest; two greens; a blue. Vectors are mean colours: two reds
    have a cosine of 1, red and green of 0."""
    reds = {f"red{number}.png": (255, number, 0) for number in range(5)}
    write_photos(
        tmp_path / "photos",
        {**reds, "green0.png": (0, 255, 0), "green1.png": (0, 255, 1), "blue.png": "blue"},
    )
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\tcaption\nred0.png\tred\nred1.png\tred\n")
    update_library(library, [tmp_path / "photos"], encoder, captions=captions)
    return SearchEngine.open(library, load=lambda model: encoder)


def test_a_search_folds_and_goes_on_until_there_are_enough(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for more in (0, 100):  # hits looked at beyond those that were asked for, at first
        monkeypatch.setattr("twobranch.retrieval.engine._MORE_TO_COLLAPSE", more)
        red, other = engine.search("red", top=2, collapse=True)
        assert (red.rank, red.path.name) == (1, "red0.png")
        assert [path.name for path in red.alike] == ["red1.png", "red2.png", "red3.png", "red4.png"]
        assert (other.rank, other.alike) == (2, ())
    assert engine.search("red", top=5) == engine.search("red")[:5]
    assert all(hit.alike == () for hit in engine.search("red"))


def test_a_gallery_with_fewer_different_photos_than_asked_for(engine: SearchEngine) -> None:
    hits = engine.search("red", top=5, collapse=True)
    # Blue and green both score 0; of equal scores the photo that was indexed first comes first.
    assert [(hit.rank, len(hit.alike)) for hit in hits] == [(1, 4), (2, 0), (3, 1)]
    assert hits[0].as_json()["alike"] == [str(path) for path in hits[0].alike]


def test_the_query_photo_is_neither_a_hit_nor_alike(engine: SearchEngine, tmp_path: Path) -> None:
    hits = engine.search(tmp_path / "photos" / "red1.png", collapse=True)
    assert {hits[0].path.name, *(path.name for path in hits[0].alike)} == {
        f"red{number}.png" for number in (0, 2, 3, 4)
    }


def test_captions_are_not_folded(engine: SearchEngine) -> None:
    assert [hit.caption for hit in engine.search("red", gallery="captions", collapse=True)] == ["red", "red"]


@pytest.fixture(scope="module")
def receipts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two receipts of one shop with other sums, a copy of the first, and a photo and its copy at a lower
    quality; in a library of the shipped model."""
    place = tmp_path_factory.mktemp("receipts")
    (place / "photos").mkdir()
    for name, prices in (("one.png", "2.95 1.10 8.00"), ("two.png", "4.20 3.75 0.99")):
        page = Image.new("RGB", (420, 640), "white")
        pen, font = ImageDraw.Draw(page), ImageFont.load_default(22)
        pen.text((110, 30), "CORNER MARKET", "black", font)
        for line, (item, price) in enumerate(zip(("BREAD", "MILK", "APPLES"), prices.split(), strict=True)):
            pen.text((40, 120 + 50 * line), item, "black", font)
            pen.text((310, 120 + 50 * line), price, "black", font)
        page.save(place / "photos" / name)
    shutil.copy(place / "photos" / "one.png", place / "photos" / "copy of one.png")
    with Image.open(wheel_photo("coffee.png")) as photo:
        photo.convert("RGB").save(place / "photos" / "cup.jpg", quality=95)
        photo.convert("RGB").save(place / "photos" / "sent cup.jpg", quality=90)
    update_library(place / ".twobranch", [place / "photos"], Encoder.load("default"))
    return place / ".twobranch"


def test_another_receipt_is_not_hidden_and_a_copy_is(receipts: Path) -> None:
    with SearchEngine.open(receipts) as engine:
        ids = [hit.id for hit in engine.search("a receipt", top=3)]
        vectors = engine.index("images").vectors(ids)
        assert (vectors @ vectors.T).min() > 0.95  # by their vectors alone they would be one hit
        for query in ("a receipt", Path(wheel_photo("coffee.png"))):
            hits = engine.search(query, collapse=True)
            groups = {frozenset(path.name for path in (hit.path or Path(), *hit.alike)) for hit in hits}
            assert groups == {
                frozenset({"one.png", "copy of one.png"}),
                frozenset({"two.png"}),
                frozenset({"cup.jpg", "sent cup.jpg"}),
            }
