"""The confidence file of a library: made by `index`, read by searches, made anew when it has to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.calibrations import calibrated
from tests.fakes import FakeEncoder, RecordedProgress, write_photo
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.background import background_texts
from twobranch.retrieval.background_file import FEWEST_PHOTOS, FILE, refresh_confidence
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.request import SearchRequest

Add = Callable[[int], bool]


@pytest.fixture
def add(library: Path, tmp_path: Path, encoder: FakeEncoder) -> Add:
    """Index so many more photos, and refresh the confidence; True if it was made."""

    def index(n: int) -> bool:
        folder = tmp_path / "many"
        rng = np.random.default_rng(len(list(folder.glob("*"))) if folder.exists() else 0)
        for at in range(n):
            red, green, blue = rng.integers(0, 256, 3).tolist()
            write_photo(folder / f"{red}-{green}-{blue}-{at}.png", (red, green, blue))
        update_library(library, [folder], encoder)
        return refresh_confidence(library, encoder, RecordedProgress())

    return index


def opened(library: Path, encoder: FakeEncoder) -> SearchEngine:
    return SearchEngine.open(library, load=lambda model: encoder)


def test_fifty_photos_give_hits_a_confidence(add: Add, library: Path, encoder: FakeEncoder) -> None:
    assert add(FEWEST_PHOTOS)
    with opened(library, encoder) as engine:
        answer = engine.answer(SearchRequest(words=("red",)))
    assert answer.as_json()["confidence_from"] == "background"
    confidences = [hit.confidence for hit in answer.hits]
    assert all(one is not None and 0 <= one <= 1 for one in confidences)
    assert confidences == sorted(confidences, reverse=True)


def test_fewer_photos_give_none(add: Add, library: Path, encoder: FakeEncoder) -> None:
    assert not add(FEWEST_PHOTOS - 1)
    with opened(library, encoder) as engine:
        answer = engine.answer(SearchRequest(words=("red",)))
    assert (answer.confidence_from, answer.hits[0].confidence) == (None, None)


def test_a_calibration_of_the_model_comes_first(
    add: Add, library: Path, encoder: FakeEncoder, tmp_path: Path
) -> None:
    assert add(FEWEST_PHOTOS)
    encoder.folder = tmp_path / "model"
    encoder.folder.mkdir()
    calibrated().save(encoder.folder)
    with opened(library, encoder) as engine:
        assert engine.answer(SearchRequest(words=("red",))).confidence_from == "captions"
    (library / FILE).unlink()
    assert not refresh_confidence(library, encoder, RecordedProgress())
    assert not (library / FILE).exists()


def test_it_is_made_anew_when_the_library_has_doubled(add: Add, library: Path, encoder: FakeEncoder) -> None:
    assert add(FEWEST_PHOTOS)
    before, encoded = (library / FILE).read_bytes(), encoder.encoded_texts
    assert encoded == len(background_texts())
    assert not add(FEWEST_PHOTOS - 1)
    assert (library / FILE).read_bytes() == before
    assert add(1)
    assert (library / FILE).read_bytes() != before
    assert encoder.encoded_texts == encoded  # their vectors are in the file


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no more", None])
def test_damaged_or_lost_it_is_made_anew(
    add: Add, library: Path, encoder: FakeEncoder, damage: bytes | None
) -> None:
    assert add(FEWEST_PHOTOS)
    sound = (library / FILE).read_bytes()
    if damage is None:
        (library / FILE).write_bytes(sound[: len(sound) // 2] + b"x" + sound[len(sound) // 2 + 1 :])
    elif damage:
        (library / FILE).write_bytes(damage)
    else:
        (library / FILE).unlink()
    with opened(library, encoder) as engine:
        assert engine.answer(SearchRequest(words=("red",))).confidence_from is None
        assert refresh_confidence(library, encoder, RecordedProgress())
        assert engine.answer(SearchRequest(words=("red",))).confidence_from == "background"  # an open one too


def test_that_of_another_model_does_not_count(add: Add, library: Path, encoder: FakeEncoder) -> None:
    assert add(FEWEST_PHOTOS)
    other = FakeEncoder("other", "other-1")
    update_library(library, [], other)
    with opened(library, other) as engine:
        assert engine.answer(SearchRequest(words=("red",))).confidence_from is None
    assert refresh_confidence(library, other, RecordedProgress())
    with opened(library, other) as engine:
        assert engine.answer(SearchRequest(words=("red",))).confidence_from == "background"


def test_a_file_that_cannot_be_written_is_a_warning(add: Add, library: Path, encoder: FakeEncoder) -> None:
    (library / FILE).mkdir(parents=True)
    progress = RecordedProgress()
    add(FEWEST_PHOTOS)
    assert not refresh_confidence(library, encoder, progress)
    assert len(progress.warnings) == 1
    assert str(library / FILE) in progress.warnings[0]
