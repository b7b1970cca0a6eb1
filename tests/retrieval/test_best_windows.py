"""A photo counts as its best window where that is clearly better than the whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.calibrations import calibrated, line
from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.query import Query, parse_query
from twobranch.retrieval.regions import PENALTY, place_name


def write_corner(path: Path, size: int = 16, orientation: int = 1) -> Path:
    """A red photo whose upper left quarter is blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (size, size), "red")
    image.paste("blue", (0, 0, size // 2, size // 2))
    exif = image.getexif()
    exif[0x112] = orientation
    image.save(path, exif=exif)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    write_corner(folder / "corner.png")
    write_photo(folder / "red.png", "red")
    write_photo(folder / "violet.png", (100, 0, 100))
    write_photo(folder / "green.png", (0, 255, 0))
    return folder


def open_library(library: Path, folder: Path, *, regions: bool = True) -> SearchEngine:
    encoder = FakeEncoder()
    update_library(library, [folder], encoder, regions=regions)
    return SearchEngine.open(library, load=lambda model: encoder)


@pytest.fixture
def engine(library: Path, folder: Path) -> SearchEngine:
    return open_library(library, folder)


def names(hits: list[Hit]) -> list[str]:
    return [hit.path.stem for hit in hits if hit.path is not None]


def test_a_window_lifts_its_photo(engine: SearchEngine) -> None:
    # A quarter of corner.png is blue: (3, 0, 1, 0.04) over its length 3.16, so it scores 0.316 with "blue".
    # Its upper left window is all blue and scores 1; violet.png scores 0.707, like each of its windows.
    hits = engine.search("blue", ranking="visual")
    assert names(hits)[:2] == ["corner", "violet"]
    assert hits[0].score == pytest.approx(1 - PENALTY, abs=1e-3)
    assert hits[0].region == (0, 0, 8, 8)
    assert hits[1].score == pytest.approx(0.707, abs=1e-3)
    assert hits[1].region is None


def test_without_regions_the_whole_photo_counts(library: Path, folder: Path) -> None:
    hits = open_library(library, folder, regions=False).search("blue", ranking="visual")
    assert names(hits)[:2] == ["violet", "corner"]
    assert [hit.region for hit in hits] == [None] * 4


def test_a_window_that_is_no_better_lifts_nothing(engine: SearchEngine) -> None:
    hits = {hit.path.stem: hit for hit in engine.search("red", ranking="visual") if hit.path is not None}
    # Three quarters are red: 3 / 3.16 = 0.949. A window of red alone scores 1, less the penalty 0.94.
    assert hits["corner"].score == pytest.approx(0.949, abs=1e-3)
    assert hits["corner"].region is None


def test_the_region_is_in_pixels_of_the_upright_photo(library: Path, tmp_path: Path) -> None:
    """Turned to the right (6), the upper left corner of what is stored is at the upper right."""
    write_corner(tmp_path / "album" / "a.jpg", 400, orientation=6)
    write_photo(tmp_path / "album" / "green.png", (0, 255, 0))
    hit = open_library(library, tmp_path / "album").search("blue", top=1)[0]
    assert hit.region == (200, 0, 400, 200)
    assert hit.as_json()["region"] == [200, 0, 400, 200]


def test_filters_hold_for_windows_too(engine: SearchEngine, folder: Path) -> None:
    query = replace(parse_query(["blue"]), filters=Filters(paths=("*violet*",)))
    assert names(engine.search(query)) == ["violet"]
    query = replace(parse_query(["blue"]), filters=Filters(paths=("*corner*",)))
    (hit,) = engine.search(query)
    assert hit.region == (0, 0, 8, 8)


def test_a_photo_finds_what_looks_like_it_in_a_part(engine: SearchEngine, tmp_path: Path) -> None:
    hits = engine.search(write_photo(tmp_path / "blue.png", "blue"))
    assert names(hits)[0] == "corner" and hits[0].region == (0, 0, 8, 8)


def test_words_and_windows_add_up(library: Path, folder: Path) -> None:
    write_corner(folder / "Oslo" / "house.png", 24)
    hits = open_library(library, folder).search("blue oslo", top=2)
    # Both have the window; the name of the folder comes on top of it.
    assert names(hits) == ["house", "corner"]
    assert hits[0].score == pytest.approx(1 - PENALTY, abs=1e-3)
    assert hits[0].words and hits[0].region == (0, 0, 12, 12)


def test_a_photo_below_the_visual_ranking_keeps_its_window(
    library: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twobranch.retrieval.fusion._DEPTH", 1)
    write_photo(folder / "blue.png", "blue")
    write_corner(folder / "Oslo" / "house.png", 24)
    hits = open_library(library, folder).search("oslo blue", top=1)
    assert names(hits) == ["house"]  # 0.94 and a bonus; blue.png has 1 and a smaller one
    assert hits[0].region == (0, 0, 12, 12)


def test_confidence_is_that_of_the_window(engine: SearchEngine) -> None:
    vars(engine)["_model_calibration"] = calibrated(line(constant=-4, slope=8))
    hit = engine.search("blue", top=1)[0]
    # The logit of 1 - PENALTY is -4 + 8 * (1 - PENALTY).
    assert hit.confidence == pytest.approx(1 / (1 + np.exp(4 - 8 * (1 - PENALTY))), abs=1e-3)
    assert names(engine.search("blue", min_confidence=0.9)) == ["corner"]


def test_alike_photos_still_collapse(library: Path, folder: Path) -> None:
    write_corner(folder / "again.png", 32)
    hits = open_library(library, folder).search("blue", top=1, collapse=True)
    assert len(hits[0].alike) == 1 and hits[0].region is not None


def test_captions_and_filters_alone_have_no_regions(engine: SearchEngine) -> None:
    assert engine.search("blue", gallery="captions") == []
    assert [hit.region for hit in engine.search(Query(()))] == [None] * 4


def test_an_open_library_follows_the_choice(library: Path, folder: Path) -> None:
    engine = open_library(library, folder, regions=False)
    assert names(engine.search("blue"))[0] == "violet"
    update_library(library, [], FakeEncoder(), regions=True)
    engine.refresh()
    assert names(engine.search("blue"))[0] == "corner"
    update_library(library, [], FakeEncoder(), regions=False)
    engine.refresh()
    assert names(engine.search("blue"))[0] == "violet"
    assert not list(library.glob("regions-*"))


def test_windows_of_photos_that_are_newer_than_the_index_wait_for_it(
    engine: SearchEngine, folder: Path
) -> None:
    engine.index("images")
    write_corner(folder / "late.png", 32)
    update_library(engine.library, [], FakeEncoder())
    assert "late" not in names(engine.search("blue", collapse=True))  # its windows are opened only now
    engine.refresh()
    assert "late" in names(engine.search("blue"))


def test_the_place_of_a_window_has_a_name() -> None:
    assert place_name((0, 0, 50, 50), 100, 100) == "top left"
    assert place_name((50, 25, 100, 75), 100, 100) == "middle right"
    assert place_name((25, 25, 75, 75), 100, 100) == "centre"


# --- against all products -----------------------------------------------------------------------------


def unit(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    rows = rng.standard_normal((*shape, 4))
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def test_rankings_are_those_of_all_products(library: Path, tmp_path: Path) -> None:
    """Random vectors for 60 photos; photo 7 has no windows."""
    for number in range(60):
        write_photo(tmp_path / "album" / f"{number}.png", (number, 2 * number, 255 - number))
    encoder = FakeEncoder()
    update_library(library, [tmp_path / "album"], encoder, regions=True)
    rng = np.random.default_rng(0)
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        n_windows = len(connection.execute("SELECT part FROM region_vectors WHERE image_id = 1").fetchall())
        whole, windows = unit(rng, 60), unit(rng, 60, n_windows)
        for image, row in enumerate(whole, start=1):
            connection.execute(
                "UPDATE image_vectors SET vector = ? WHERE image_id = ?", [row.tobytes(), image]
            )
        for image, part in product(range(60), range(n_windows)):
            connection.execute(
                "UPDATE region_vectors SET vector = ? WHERE image_id = ? AND part = ?",
                [windows[image, part].tobytes(), image + 1, part],
            )
        connection.execute("DELETE FROM region_vectors WHERE image_id = 8")
        numbers = dict(connection.execute("SELECT path, id FROM images"))
        connection.commit()
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        for text, top in product(("red", "green", "blue", "red blue"), (1, 3, 10, 100)):
            query = encoder.encode_texts([text])[0]
            of_windows = (windows @ query).max(axis=1) - PENALTY
            of_windows[7] = -np.inf
            scores = np.maximum(whole @ query, of_windows)
            hits = engine.search(parse_query([text]), top, ranking="visual")
            best = np.argsort(-scores)[:top]
            assert [numbers[f"{name}.png"] for name in names(hits)] == (best + 1).tolist()
            assert [hit.score for hit in hits] == pytest.approx(scores[best].tolist(), abs=1e-5)
            lifted = of_windows > whole @ query
            assert [hit.region is not None for hit in hits] == lifted[best].tolist()
