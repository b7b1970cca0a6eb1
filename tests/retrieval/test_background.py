"""Confidence from background texts: a scale of scores, and fits that were made on another model."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.calibrations import line
from twobranch.retrieval.background import (
    KINDS,
    Scale,
    background_calibration,
    background_texts,
    fits_text,
    read_fits,
    scale_of,
)
from twobranch.retrieval.confidence import FEATURES, RISING, Bank, SearchedGallery, features


def units(n: int, dim: int, seed: int) -> NDArray[np.float32]:
    """(n, dim) unit rows in random directions."""
    rows = np.random.default_rng(seed).normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def as_in_clip(vectors: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The same directions in a narrow cone of their side: a score s of two sides becomes 0.2 s - 0.3.

    Of one side it becomes 0.2 s + 0.8.
    """
    first, second = (np.sqrt(0.55), np.sqrt(0.25)) if side > 0 else (-np.sqrt(0.55), np.sqrt(0.25))
    ends = np.tile([[first, second]], (len(vectors), 1))  # of both sides: -0.55 + 0.25 = -0.3
    return np.hstack([np.sqrt(0.2) * vectors, ends]).astype(np.float32)


def test_the_scale_goes_from_the_mean_score_to_that_of_one_text_in_a_hundred() -> None:
    photos = np.array([[1, 0], [0, 1]], dtype=np.float32)
    texts = np.array([[0.6, 0.8], [0.8, 0.6], [0, 1]], dtype=np.float32)
    # Photo 0 scores 0, 0.6, 0.8, photo 1 scores 0.6, 0.8, 1: the mean is 3.8 / 6. The quantile .99 of three
    # is 0.98 of the way from the second to the best: 0.796 and 0.996
    scale = scale_of("text_to_images", texts, photos)
    assert (scale.level, scale.level + scale.unit) == pytest.approx((3.8 / 6, 0.896))
    assert scale_of("image_to_captions", texts, photos) == scale


def test_the_scale_between_photos_leaves_out_a_photo_with_itself() -> None:
    photos = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    # 0 and 0.6, 0 and 0.8, 0.6 and 0.8; the quantile .99 of two is 0.99 of the way to the larger
    scale = scale_of("image_to_images", photos, photos)
    best = (0.6 * 0.99 + 0.8 * 0.99 + 0.6 + 0.2 * 0.99) / 3
    assert (scale.level, scale.level + scale.unit) == pytest.approx((2.8 / 6, best))


def test_a_model_that_tells_nothing_apart_has_no_scale() -> None:
    same = np.ones((60, 1), dtype=np.float32)
    with pytest.raises(ValueError, match="no scale"):
        scale_of("text_to_images", same, same)


def test_a_fit_on_the_common_scale_gives_the_same_probabilities_to_raw_scores() -> None:
    scale = Scale(level=0.2, unit=0.05)
    of = line(-3, 2, own_middle=-0.5, own_spread=0.25, log_n=-0.75, **{"log_n_*_score": 0.125})
    facts = np.random.default_rng(1).uniform(0, 0.4, size=(4, 12))
    raw = features(np.array([[0.3, 0.2]] * 4), facts, [10, 50, 200, 1000], [1, 2, 5, 9])
    z = (np.array([[0.3, 0.2]] * 4) - 0.2) / 0.05
    log_n = np.log([[10], [50], [200], [1000]])
    logit = -3 + 2 * z - 0.5 * (level_of(facts) - 0.2) / 0.05 + 0.25 * spread_of(facts) / 0.05
    logit += -0.75 * log_n + 0.125 * log_n * z
    expected = 1 / (1 + np.exp(-logit))
    assert of.probabilities(scale.standardised(raw)) == pytest.approx(expected)
    assert scale.for_scores(of).probabilities(raw) == pytest.approx(expected)


def level_of(facts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle score with the gallery; the score itself is the first feature, and no fact."""
    return facts[:, [FEATURES.index("own middle") - 1]]


def spread_of(facts: NDArray[np.float64]) -> NDArray[np.float64]:
    return facts[:, [FEATURES.index("own spread") - 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_models_that_differ_in_the_level_and_spread_of_scores_have_the_same_confidence(kind: str) -> None:
    texts, photos, query = units(200, 24, 1), units(120, 24, 2), units(1, 24, 3)[0]
    gallery, side = (photos, 1) if kind.endswith("images") else (texts, -1)
    of_text = kind.startswith("text")
    plain = background_calibration(texts, photos)
    cone = background_calibration(as_in_clip(texts, -1), as_in_clip(photos, 1))
    text = "a dog in the snow" if of_text else None
    scores = np.sort(gallery @ query)[::-1][:10]
    found = plain.confidences(kind, query, text, scores, SearchedGallery(120, gallery))
    query, gallery = as_in_clip(query[None], -1 if of_text else 1)[0], as_in_clip(gallery, side)
    scores = np.sort(gallery @ query)[::-1][:10]
    other = cone.confidences(kind, query, text, scores, SearchedGallery(120, gallery))
    assert found is not None
    assert found[0] > found[-1]
    assert other == pytest.approx(found, abs=0.02)  # banks are of 8 bits


def test_it_says_that_no_captions_were_seen() -> None:
    assert background_calibration(units(60, 8, 1), units(60, 8, 2)).basis == "background"


def test_shipped_fits_keep_the_order_of_hits_and_are_valid() -> None:
    fits = read_fits()
    assert tuple(fits) == KINDS
    for fit in fits.values():
        assert fit.fault() is None
        assert all(fit.weights[1 + column] >= 0 for column in RISING)
        used = {FEATURES[at] for at in np.flatnonzero(fit.weights[1:])}
        assert not used & {"mean", "sd", "top 1%", "match level", "nearness"}  # what only pairs would tell
        assert fit.weights[1 + FEATURES.index("score")] > 0


def test_fits_are_read_as_they_were_written(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    assert fits_text(read_fits()) == fits_text(read_fits())
    assert '"score"' in fits_text({"text_to_images": line(-1.25, 3)})


def test_background_texts_are_many_short_and_different() -> None:
    texts = background_texts()
    assert len(texts) > 400
    assert len(set(texts)) == len(texts)
    assert all(0 < len(text.split()) <= 16 and text == text.strip() for text in texts)


def test_the_bank_holds_the_photos_of_the_library() -> None:
    photos = units(70, 8, 2)
    background = background_calibration(units(60, 8, 1), photos).background
    assert background.fault(8) is None
    np.testing.assert_array_equal(background.images.rows, Bank.of(photos).rows)
