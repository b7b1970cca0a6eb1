"""Confidence beside how often it was right, by hand and over HTTP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.calibrations import calibrated, line
from tests.fakes import FakeEncoder, RecordedProgress, write_photo
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.background_file import refresh_confidence
from twobranch.retrieval.confidence import QUERY_KINDS, Calibration
from twobranch.retrieval.evaluation.reliability import Group, grouped
from twobranch.server.api.explorer import Reliability
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


def test_groups_by_hand() -> None:
    confidences, right = np.array([0.05, 0.25, 0.21, 1.0]), np.array([False, True, False, True])
    assert grouped(confidences, right) == [
        Group(0.0, 0.1, 0.05, 0.0, 1),
        Group(0.2, 0.3, pytest.approx(0.23), 0.5, 2),
        Group(0.9, 1.0, 1.0, 1.0, 1),  # certainty is in the last tenth
    ]


def score_alone() -> Calibration:
    """A model whose confidence is 0.88 (the logistic function of 2) at score 1, and 0.12 at score 0."""
    return calibrated(line(-2, 4), QUERY_KINDS)


@pytest.fixture
def indexed(library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder) -> Path:
    """red.png and green.png with captions that find them, blue.png with one that finds red.png."""
    captions = tmp_path / "captions.csv"
    captions.write_text("image,caption\nred.png,red\ngreen.png,green\nblue.png,red\n")
    update_library(library, [photos], encoder, captions=captions)
    return library


def asked(library: Path, encoder: FakeEncoder, direction: str) -> list[dict[str, float]] | None:
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        answer = client.get("/api/explorer/confidence", params={"direction": direction}).json()
    assert Reliability.model_validate(answer).model_dump() == answer
    return answer["groups"]


def test_each_query_is_put_with_and_without_its_truth(
    indexed: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "twobranch.retrieval.evaluation.reliability._calibration", lambda model, dim: score_alone()
    )
    # Captions: "red" and "green" find their photos with a score of 1, and with these taken out photos that
    # score 0. The "red" of blue.png finds red.png with 1, whether blue.png is there or not: twice wrong.
    groups = asked(indexed, encoder, "text_to_image")
    assert groups is not None
    assert [(group["low"], group["hits"], group["right"]) for group in groups] == [
        (0.1, 2, 0.0),
        (0.8, 4, 0.5),
    ]
    assert [group["said"] for group in groups] == pytest.approx(
        [1 / (1 + np.e**2), 1 / (1 + np.e**-2)], abs=1e-3
    )
    # Photos: green.png finds "green" with 1, and 0 without it. red.png finds "red" with 1, but so does the
    # caption of blue.png, and ties count against it: wrong, as without its own. blue.png scores 0 with all.
    groups = asked(indexed, encoder, "image_to_text")
    assert groups is not None
    assert [(group["low"], group["hits"]) for group in groups] == [(0.1, 3), (0.8, 3)]
    assert groups[1]["right"] == pytest.approx(1 / 3)


def test_a_model_without_confidence(indexed: Path, encoder: FakeEncoder) -> None:
    assert asked(indexed, encoder, "text_to_image") is None  # its folder is not there


def test_a_model_without_calibration_has_the_confidence_that_index_estimated(
    indexed: Path, encoder: FakeEncoder, tmp_path: Path
) -> None:
    for at in range(50):
        write_photo(tmp_path / "more" / f"{at}.png", (5 * at, 120, 255 - 5 * at))
    update_library(indexed, [tmp_path / "more"], encoder)
    assert refresh_confidence(indexed, encoder, RecordedProgress())
    groups = asked(indexed, encoder, "text_to_image")
    assert groups is not None
    assert sum(group["hits"] for group in groups) == 6  # three captions, with and without their photo


def test_of_many_queries_some_are_looked_at(
    indexed: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "twobranch.retrieval.evaluation.reliability._calibration", lambda model, dim: score_alone()
    )
    monkeypatch.setattr("twobranch.retrieval.evaluation.reliability._MOST", 2)
    groups = asked(indexed, encoder, "text_to_image")  # every second of three: two queries, put twice
    assert groups is not None
    assert sum(group["hits"] for group in groups) == 4
