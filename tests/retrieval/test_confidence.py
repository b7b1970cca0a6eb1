"""Confidence by hand: a logit is the constant plus a weighted sum of features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twobranch.common.errors import ModelError
from twobranch.retrieval.confidence import (
    CALIBRATION,
    FEATURES,
    RISING,
    Bank,
    Calibration,
    Fit,
    features,
    n_words,
)


def fit(constant: float = 0.0, **weights: float) -> Fit:
    """A fit with these weights by feature name (spaces as underscores), the others 0; no match below 0.5."""
    values = [weights.get(name.replace(" ", "_"), 0.0) for name in FEATURES]
    return Fit(np.array([constant, *values]), np.ones(1), np.ones(1), np.full((1, 1), 0.5))


def calibration(of: Fit) -> Calibration:
    """One fit for words to photos, over banks of the first two axes in 4-D."""
    bank = Bank.of(np.eye(4, dtype=np.float32)[:2])
    return Calibration(bank, bank, {"text_to_images": of})


def test_the_background_of_a_query() -> None:
    bank = Bank.of(np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32))
    # scores 1, 0, -1, 0: mean 0, variance 2/4; a quarter of four is one, and so is 1% at least
    background = bank.background(np.array([[1, 0]], dtype=np.float32))
    assert background[0] == pytest.approx([0, np.sqrt(0.5), 1, 1, 1])


def test_a_bank_in_int8_is_close() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bank = Bank.of(vectors)  # the largest entry of a row is 127 steps
    assert np.abs(bank.rows * bank.scales[:, None] - vectors).max() <= np.abs(vectors).max() / 127 / 2 + 1e-6


def test_the_features_of_a_hit() -> None:
    background = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    x = features(np.array([[0.5, 0.25]]), background, [np.e**2], [np.e])
    assert x.shape == (1, 2, len(FEATURES))
    #                            score, background,   log n, log length, products with log n and log length
    assert x[0, 0] == pytest.approx([0.5, 1, 2, 3, 4, 5, 2, 1, 2 * 0.5, 2 * 3, 1 * 0.5, 1 * 3, 2 * 1])
    assert x[0, 1] == pytest.approx([0.25, 1, 2, 3, 4, 5, 2, 1, 2 * 0.25, 2 * 3, 1 * 0.25, 1 * 3, 2 * 1])


def test_a_probability_by_hand() -> None:
    query = np.array([0, 0, 0, 1], dtype=np.float32)
    found = calibration(fit(-1.0, score=4.0, log_n=-1.0)).confidences(
        "text_to_images", query, "red", [0.5], 1
    )
    assert found == pytest.approx([1 / (1 + np.exp(-1))])  # -1 + 4 * 0.5 - log 1 = 1
    found = calibration(fit(-1.0, score=4.0, log_n=-1.0)).confidences(
        "text_to_images", query, "red", [0.5], 7
    )
    assert found == pytest.approx([1 / (1 + 7 * np.exp(-1))])


def test_a_kind_without_a_fit_has_no_confidence() -> None:
    query = np.array([1, 0, 0, 0], dtype=np.float32)
    assert calibration(fit()).confidences("image_to_images", query, None, [0.5], 3) is None


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=20),
    st.lists(st.floats(-20, 20), min_size=len(FEATURES) + 1, max_size=len(FEATURES) + 1),
    st.integers(0, 10**9),
    st.integers(1, 100),
)
def test_confidence_never_contradicts_the_order(
    scores: list[float], weights: list[float], n_gallery: int, length: int
) -> None:
    for column in RISING:
        weights[1 + column] = abs(weights[1 + column])
    some = Fit(np.array(weights), np.ones(1), np.ones(1), np.full((1, 1), 0.5))
    query = np.array([0.6, 0.8, 0, 0], dtype=np.float32)
    ranked = sorted(scores, reverse=True)
    found = calibration(some).confidences("text_to_images", query, "a " * length, ranked, n_gallery)
    assert found is not None
    assert np.all((found >= 0) & (found <= 1))
    assert np.all(np.diff(found) <= 1e-12)


def test_what_is_weak_depends_on_size_and_length() -> None:
    weak = np.array([[0.5, 0.2], [0.9, 0.5]])
    some = Fit(np.zeros(1 + len(FEATURES)), np.array([1.0, 100.0]), np.array([1.0, 4.0]), weak)
    assert some.weak_below(1, 1) == pytest.approx(0.5)
    assert some.weak_below(100, 4) == pytest.approx(0.5)
    # halfway in log size and log length, odds are the geometric mean: (1 * 1/4 * 9 * 1) ** (1/4)
    odds = (9 / 4) ** 0.25
    assert some.weak_below(10, 2) == pytest.approx(odds / (1 + odds))
    assert some.weak_below(10_000, 50) == pytest.approx(0.5)  # two sizes show no trend


def test_beyond_the_largest_gallery_the_limit_goes_on_falling() -> None:
    weak = np.array([[1 / 2, 1 / 3, 1 / 5]])  # odds 1, 1/2, 1/4 in galleries of 1, 10, 100
    some = Fit(np.zeros(1 + len(FEATURES)), np.array([1.0, 10.0, 100.0]), np.ones(1), weak)
    assert some.weak_below(1000) == pytest.approx(1 / 9)  # odds 1/8


def test_it_is_read_as_it_was_written_and_writes_equal_bytes(tmp_path: Path) -> None:
    written = calibration(fit(1.0, score=2.0))
    written.save(tmp_path)
    first = (tmp_path / CALIBRATION).read_bytes()
    read = Calibration.load(tmp_path, 4)
    assert read is not None
    assert list(read.fits) == ["text_to_images"]
    query = np.array([0.6, 0.8, 0, 0], dtype=np.float32)
    arguments = ("text_to_images", query, "red", [0.7, 0.1], 5)
    assert read.confidences(*arguments) == pytest.approx(written.confidences(*arguments))  # type: ignore[arg-type]
    read.save(tmp_path)
    assert (tmp_path / CALIBRATION).read_bytes() == first


def test_a_folder_without_one_and_a_damaged_one(tmp_path: Path) -> None:
    assert Calibration.load(tmp_path, 4) is None
    (tmp_path / CALIBRATION).write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(ModelError, match=r"calibration\.npz: damaged"):
        Calibration.load(tmp_path, 4)


def test_words_are_counted_in_any_script() -> None:
    assert [n_words(text) for text in ("a dog", "", "Hunde, im Schnee!", "日本", "42")] == [2, 1, 3, 1, 1]
