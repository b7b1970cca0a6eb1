from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from twobranch.train.sides.class_names import STRENGTH, class_pairs, imagenet_class_names


def lengths(sentences: Sequence[str]) -> NDArray[np.float32]:
    """A sentence feature that is easy to tell apart: its length."""
    return np.array([[len(sentence)] for sentence in sentences], dtype=np.float32)


def test_the_names_are_in_the_order_of_the_classifier() -> None:
    names = imagenet_class_names()
    assert (len(names), names[0], names[281], names[999]) == (1000, "tench", "tabby", "toilet tissue")


def test_a_drawn_pair_is_a_washed_out_photo_moved_towards_its_class() -> None:
    # Photos of length 5, whose mean is (3, 4, 0) and so is every point halfway to it; class c points along
    # axis c % 3 with weight 2.
    photos = np.array([[3, 4, 0], [3, 4, 0]], dtype=np.float32)
    classifier = 2 * np.eye(3, dtype=np.float32)[np.arange(1000) % 3]
    pairs = class_pairs(classifier, photos, lengths)
    drawn = pairs.draw(50, np.random.default_rng(0))
    names = imagenet_class_names()
    for image, row, item in zip(drawn.images, drawn.rows, drawn.items, strict=True):
        number = -1 - item
        moved = image - [3, 4, 0]
        assert STRENGTH[0] * 5 <= moved[number % 3] <= STRENGTH[1] * 5
        assert np.count_nonzero(moved) == 1
        assert pairs.sentences[row] in (names[number], f"a photo of a {names[number]}")
        assert pairs.texts[row][0] == len(pairs.sentences[row])
    assert len(set(drawn.items.tolist())) == 50  # different classes
    assert drawn.items.max() < 0  # never a photo's item


def test_features_are_never_negative() -> None:
    classifier = -np.ones((1000, 3), dtype=np.float32)
    pairs = class_pairs(classifier, np.full((2, 3), 0.1, dtype=np.float32), lengths)
    assert pairs.draw(5, np.random.default_rng(0)).images.min() == 0


def test_classes_and_names_must_agree() -> None:
    with pytest.raises(ValueError, match="10 classes but 1000 names"):
        class_pairs(np.ones((10, 3), np.float32), np.ones((2, 3), np.float32), lengths)
