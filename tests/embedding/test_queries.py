"""Queries with templates around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.smallmodel import seal, write_model
from twobranch.embedding.encoder import Encoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def test_a_short_query_is_the_mean_of_itself_and_its_templates(folder: Path) -> None:
    plain = Encoder.load(folder)
    seal(folder, templates=["a blue {}", "{} dog"])
    rows = plain.encode_texts(["red", "a blue red", "red dog"])
    expected = rows.sum(axis=0) / np.linalg.norm(rows.sum(axis=0))
    assert Encoder.load(folder).encode_query("red") == pytest.approx(expected, abs=1e-6)


def test_a_longer_query_is_encoded_as_it_is(folder: Path) -> None:
    plain = Encoder.load(folder).encode_query("a red dog a blue dog")
    seal(folder, templates=["a blue {}"])
    queries = ["a red dog a blue dog", "green"]
    assert Encoder.load(folder).encode_queries(queries)[0] == pytest.approx(plain, abs=1e-6)


def test_texts_that_are_no_queries_get_no_template(folder: Path) -> None:
    plain = Encoder.load(folder).encode_texts(["red"])
    seal(folder, templates=["a blue {}"])
    assert np.array_equal(Encoder.load(folder).encode_texts(["red"]), plain)


def test_templates_do_not_change_the_identity_of_vectors(folder: Path) -> None:
    before = Encoder.load(folder).fingerprint
    seal(folder, templates=["a photo of {}"])
    assert Encoder.load(folder).fingerprint == before
