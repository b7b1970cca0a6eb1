"""Confidence by hand: a logit is the constant plus a weighted sum of features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.calibrations import axes, line
from twobranch.common.errors import ModelError
from twobranch.retrieval.confidence import (
    CALIBRATION,
    FEATURES,
    RISING,
    Background,
    Bank,
    Calibration,
    Fit,
    SearchedGallery,
    features,
    n_words,
)

EMPTY = np.empty((0, 4), np.float32)


def calibration(of: Fit) -> Calibration:
    """One fit for words to photos, over a background of the first two axes in 4-D."""
    return Calibration(axes(4, 2), {"text_to_images": of})


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
    facts = np.arange(1.0, 13.0)[None]  # mean, sd, top 1, 5, 25%, own low, middle, spread, high, match, …
    x = features(np.array([[0.5, 0.25]]), facts, [np.e**2], [np.e])
    assert x.shape == (1, 2, len(FEATURES))
    # Score, facts, log n, log length and their product; then both logs with the score and the three levels:
    # top 1% (3), own middle (7), match level (10)
    logs = [2 * 0.5, 2 * 3, 2 * 7, 2 * 10, 1 * 0.5, 1 * 3, 1 * 7, 1 * 10]
    assert x[0, 0] == pytest.approx([0.5, *range(1, 13), 2, 1, 2 * 1, *logs])
    assert x[0, 1, 0] == 0.25


def test_the_searched_gallery_is_described_by_its_low_and_middle_scores() -> None:
    query = np.array([[1, 0, 0, 0]], dtype=np.float32)
    of = axes(4, 2)  # the query scores 1 and 0 with the bank: quantiles 0.1, 0.25, 0.5, 0.9
    gallery = np.array([[0.0, 0.1, 0.2, 0.3, 0.4, -np.inf]])  # -inf: not in this gallery
    facts = of.facts("text_to_images", query, gallery)[0, 5:9]
    # Five photos weigh 5 / 25, the bank's 20 / 25. Quantiles of the gallery: 0.04, 0.1, 0.2, 0.36
    low, middle = 0.2 * 0.1 + 0.8 * 0.25, 0.2 * 0.2 + 0.8 * 0.5
    least, high = 0.2 * 0.04 + 0.8 * 0.1, 0.2 * 0.36 + 0.8 * 0.9
    assert facts == pytest.approx([low, middle, middle - least, high], abs=0.01)
    alone = of.facts("text_to_images", query, np.full((1, 3), -np.inf))[0, 5:9]
    assert alone == pytest.approx([0.25, 0.5, 0.4, 0.9], abs=0.01)  # no photo: the bank stands in


def test_the_match_level_is_what_similar_captions_score_with_their_photos() -> None:
    photos, captions = np.eye(4, dtype=np.float32)[[0, 1]], np.eye(4, dtype=np.float32)[[2, 3]]
    of = Background(Bank.of(photos), Bank.of(captions), np.array([0, 1]))
    query = np.array([[0.8, 0, 0.6, 0]], dtype=np.float32)
    # It is closest to caption 0 (0.6 against 0: weight 1 - e^-10), whose photo it scores 0.8 with
    level, spread, nearness = of.facts("text_to_images", query, EMPTY[None, :, 0])[0, 9:]
    assert level == pytest.approx(0.8, abs=0.01)
    assert spread == pytest.approx(0, abs=0.01)
    assert nearness == pytest.approx(0.3, abs=0.01)  # the mean of 0.6 and 0: the bank has no twenty
    level, *_ = of.facts("image_to_captions", query, EMPTY[None, :, 0])[0, 9:]
    assert level == pytest.approx(0.6, abs=0.01)  # closest to photo 0, whose caption it scores 0.6 with


def test_a_probability_by_hand() -> None:
    query = np.array([0, 0, 0, 1], dtype=np.float32)
    some = calibration(line(-1.0, 4.0, log_n=-1.0))
    found = some.confidences("text_to_images", query, "red", [0.5], SearchedGallery(1, EMPTY))
    assert found == pytest.approx([1 / (1 + np.exp(-1))])  # -1 + 4 * 0.5 - log 1 = 1
    found = some.confidences("text_to_images", query, "red", [0.5], SearchedGallery(7, EMPTY))
    assert found == pytest.approx([1 / (1 + 7 * np.exp(-1))])


def test_a_kind_without_a_fit_has_no_confidence() -> None:
    query = np.array([1, 0, 0, 0], dtype=np.float32)
    assert (
        calibration(line()).confidences("image_to_images", query, None, [0.5], SearchedGallery(3, EMPTY))
        is None
    )


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
    some = replace(line(), weights=np.array(weights))
    query = np.array([0.6, 0.8, 0, 0], dtype=np.float32)
    ranked = sorted(scores, reverse=True)
    gallery = SearchedGallery(n_gallery, EMPTY)
    found = calibration(some).confidences("text_to_images", query, "a " * length, ranked, gallery)
    assert found is not None
    assert np.all((found >= 0) & (found <= 1))
    assert np.all(np.diff(found) <= 1e-12)


def test_what_is_weak_depends_on_size_and_length() -> None:
    weak = np.array([[0.5, 0.2], [0.9, 0.5]])
    some = Fit(np.zeros(1 + len(FEATURES)), np.array([1.0, 100.0]), np.array([1.0, 4.0]), weak, np.ones(2))
    assert some.weak_below(1, 1) == pytest.approx(0.5)
    assert some.weak_below(100, 4) == pytest.approx(0.5)
    # halfway in log size and log length, odds are the geometric mean: (1 * 1/4 * 9 * 1) ** (1/4)
    odds = (9 / 4) ** 0.25
    assert some.weak_below(10, 2) == pytest.approx(odds / (1 + odds))
    assert some.weak_below(10_000, 50) == pytest.approx(0.5)  # two sizes show no trend
    likely = replace(some, likely=np.array([0.3, 0.9]))
    assert likely.weak_below(1, 1) == 0.3  # a likely hit is never weak
    assert likely.likely_from(2) == pytest.approx(0.6)  # halfway in log length


def test_beyond_the_largest_gallery_the_limit_goes_on_falling() -> None:
    weak = np.array([[1 / 2, 1 / 3, 1 / 5]])  # odds 1, 1/2, 1/4 in galleries of 1, 10, 100
    some = Fit(np.zeros(1 + len(FEATURES)), np.array([1.0, 10.0, 100.0]), np.ones(1), weak, np.ones(1))
    assert some.weak_below(1000) == pytest.approx(1 / 9)  # odds 1/8


def test_it_is_read_as_it_was_written_and_writes_equal_bytes(tmp_path: Path) -> None:
    written = calibration(line(1.0, 2.0))
    written.save(tmp_path)
    first = (tmp_path / CALIBRATION).read_bytes()
    read = Calibration.load(tmp_path, 4)
    assert read is not None
    assert list(read.fits) == ["text_to_images"]
    query = np.array([0.6, 0.8, 0, 0], dtype=np.float32)
    arguments = ("text_to_images", query, "red", [0.7, 0.1], SearchedGallery(5, EMPTY))
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
