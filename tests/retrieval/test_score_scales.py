"""A model whose scores lie closer together ranks, collapses and judges like one whose scores do not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.calibrations import axes, calibrated
from tests.fakes import FakeEncoder, RecordedProgress, write_photo, write_photos
from tests.retrieval.test_best_windows import write_corner
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.background import Scale, ScoreScales
from twobranch.retrieval.background_file import FILE, refresh_confidence
from twobranch.retrieval.collapse import NEAR_DUPLICATE
from twobranch.retrieval.confidence import Calibration
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.evaluation.fused import compare_fused
from twobranch.retrieval.fusion import WEIGHT
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.regions import PENALTY
from twobranch.retrieval.text_pictures import TEXT


class NarrowEncoder(FakeEncoder):
    """The fake encoder with a component that all its vectors share: a score s of it becomes s / 4 + 3 / 4."""

    dim = 5

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return narrowed(super().encode_pixels(pixels))

    def encode_texts(self, texts: list[str], language: str | None = None) -> NDArray[np.float32]:  # type: ignore[override]
        return narrowed(super().encode_texts(texts, language))


def narrowed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 4) unit rows x as (n, 5) unit rows (x / 2, √(3 / 4))."""
    return np.hstack([rows / 2, np.full((len(rows), 1), np.sqrt(0.75))]).astype(np.float32)


Open = Callable[[FakeEncoder], SearchEngine]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """60 photos of any colour, of which two in five are in a folder with a name."""
    folders, rng = ("Rome", "Oslo", "x", "y", "z"), np.random.default_rng(5)
    colours = {f"{folders[at % 5]}/{at}.png": tuple(rng.integers(0, 256, 3).tolist()) for at in range(60)}
    write_photos(tmp_path / "all", colours)
    return tmp_path / "all"


@pytest.fixture
def opened(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open the folder as a library of an encoder that nobody calibrated."""
    # A few texts for the four hundred: nearly all of these have no colour, and one score with all photos.
    texts = ["red", "green", "blue", "red green", "a street"]
    monkeypatch.setattr("twobranch.retrieval.background_file.background_texts", lambda: texts)

    def library(encoder: FakeEncoder) -> SearchEngine:
        place = tmp_path / type(encoder).__name__ / ".twobranch"
        update_library(place, [folder], encoder, regions=True)
        assert refresh_confidence(place, encoder, RecordedProgress())
        return SearchEngine.open(place, load=lambda model: encoder)  # type: ignore[arg-type, return-value]

    return library


def paths(hits: list[Hit]) -> list[Path | None]:
    return [hit.path for hit in hits]


def test_the_scales_of_the_shipped_model_change_nothing() -> None:
    shipped = ScoreScales()
    assert (shipped.text_factor, shipped.photo_factor) == (1, 1)
    assert (shipped.text_score(TEXT), shipped.near_cosine(NEAR_DUPLICATE)) == (TEXT, NEAR_DUPLICATE)
    assert (WEIGHT * shipped.text_factor, PENALTY * shipped.photo_factor) == (WEIGHT, PENALTY)


def test_scores_of_the_shipped_model_are_converted() -> None:
    plain = ScoreScales()
    texts, photos = (Scale(one.level / 4 + 0.75, one.unit / 4) for one in (plain.texts, plain.photos))
    narrow = ScoreScales(texts, photos)
    assert (narrow.text_factor, narrow.photo_factor) == pytest.approx((1 / 4, 1 / 4))
    assert narrow.text_score(0.25) == pytest.approx(0.25 / 4 + 0.75)
    assert narrow.near_cosine(0.95) == pytest.approx(0.95 / 4 + 0.75)
    assert narrow.near_cosine(1) == 1


@pytest.mark.parametrize("query", ["red rome", "blue sky in Rome", "red oslo", "green rome oslo"])
def test_words_in_names_weigh_as_much(opened: Open, query: str) -> None:
    engine = opened(NarrowEncoder())
    wide, narrow = opened(FakeEncoder()).search(query, top=60), engine.search(query, top=60)
    assert paths(narrow) == paths(wide)
    words = [(hit.words or 0) / 4 for hit in wide]
    assert [hit.words or 0 for hit in narrow] == pytest.approx(words, abs=1e-4)
    # Backgrounds are of 8 bits, so confidences are not equal to the last digit.
    assert [hit.confidence for hit in narrow] == pytest.approx([hit.confidence for hit in wide], abs=0.02)
    assert paths(narrow) != paths(engine.search(query, top=60, ranking="visual"))


def test_what_looks_right_comes_before_what_is_only_named(opened: Open, folder: Path) -> None:
    sky = write_photo(folder / "x" / "sky.png", "blue")
    write_photo(folder / "Kyoto" / "temple.png", "red")
    # The temple scores 0.75, the sky 1. The name adds 0.3 in scores of the shipped model, which would be
    # enough. To the fake encoder one text in a hundred scores 0.5 above the mean, so an eighth here: half the
    # unit of the shipped model. So the name adds half of 0.3.
    hits = opened(NarrowEncoder()).search("blue kyoto", top=62)
    assert hits[0].path == sky
    (named,) = [hit for hit in hits if hit.words]
    assert named.words == pytest.approx(0.15, abs=0.05)


@pytest.mark.parametrize("photo", [False, True])
def test_windows_count_as_much(opened: Open, folder: Path, tmp_path: Path, photo: bool) -> None:
    for size in (16, 20, 24):
        write_corner(folder / f"corner{size}.png", size)
    query = write_photo(tmp_path / "query.png", "blue") if photo else "blue"
    engines = opened(FakeEncoder()), opened(NarrowEncoder())
    wide, narrow = (engine.search(query, top=63, ranking="visual") for engine in engines)
    assert paths(narrow) == paths(wide)
    assert [hit.region for hit in narrow] == [hit.region for hit in wide]
    assert sum(hit.region is not None for hit in wide) >= 3
    scores = [(hit.score or 0) / 4 + 0.75 for hit in wide]
    assert [hit.score for hit in narrow] == pytest.approx(scores, abs=1e-4)


def test_near_duplicates_are_as_near(opened: Open) -> None:
    wide, narrow = (
        opened(encoder).search("red", top=60, collapse=True, ranking="visual")
        for encoder in (FakeEncoder(), NarrowEncoder())
    )
    assert [(hit.path, hit.alike) for hit in narrow] == [(hit.path, hit.alike) for hit in wide]
    assert any(hit.alike for hit in wide)


def test_pictures_of_text_are_told_as_well(opened: Open) -> None:
    # The sentences about them are (0, 0, 0, 1): a row is near to them by its last number.
    rows = np.array([[np.sqrt(1 - last**2), 0, 0, last] for last in np.linspace(-1, 1, 41)], np.float32)
    wide = opened(FakeEncoder()).text_pictures.find(rows)
    assert 0 < wide.sum() < 41
    assert opened(NarrowEncoder()).text_pictures.find(narrowed(rows)).tolist() == wide.tolist()


def test_a_model_with_a_calibration_has_the_scales_of_the_shipped_one(opened: Open, tmp_path: Path) -> None:
    encoder = NarrowEncoder()
    library = opened(encoder).library
    encoder.folder = tmp_path / "model"
    encoder.folder.mkdir()
    Calibration(axes(5), calibrated().fits).save(encoder.folder)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type, return-value]
        assert engine.scales == ScoreScales()


def test_a_model_of_which_nothing_is_known_has_them_too(opened: Open) -> None:
    with opened(NarrowEncoder()) as engine:
        assert engine.scales != ScoreScales()
        (engine.library / FILE).unlink()
        assert engine.scales == ScoreScales()


def test_recall_with_words_is_that_of_searches(opened: Open, folder: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    lines = [f"{path.name},{path.parent.name} red" for path in sorted(folder.rglob("*.png"))]
    captions.write_text("\n".join(["image,caption", *lines]) + "\n")
    figures = []
    for encoder in (FakeEncoder(), NarrowEncoder()):
        with opened(encoder) as engine:
            update_library(engine.library, [folder], encoder, captions=captions, regions=True)
        with closing(Catalog.open(engine.library)) as catalog:
            figures += compare_fused(catalog, (), ks=[1, 10], split=None)
    assert figures[0]["fused"] == figures[1]["fused"] != figures[0]["visual"]


@pytest.mark.parametrize("rows", [[[0.5, 0.1], [0.5, 0]], [[0.5, np.nan], [0.5, 0.1]], [[0.5, 0.1]]])
def test_numbers_that_are_no_scales_are_a_damaged_file(opened: Open, rows: list[list[float]]) -> None:
    with opened(NarrowEncoder()) as engine:
        with np.load(engine.library / FILE) as file:
            arrays = dict(file)
        with (engine.library / FILE).open("wb") as file:
            np.savez(file, **arrays | {"scales": np.array(rows)})
        assert engine.scales == ScoreScales()
        assert engine.calibration is None
