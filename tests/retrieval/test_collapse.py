"""Hits that look alike are one hit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes import FakeEncoder, write_photos
from twobranch.indexer.update.library import update_library
from twobranch.retrieval import collapse as collapse_module
from twobranch.retrieval.collapse import Group, collapse
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
