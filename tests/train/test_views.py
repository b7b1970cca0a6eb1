"""Augmented views: the photo first, the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from twobranch.embedding.preprocess import load_photo
from twobranch.train.sides.views import photo_views, random_box


def test_the_photo_then_random_views_the_same_every_time(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    views = photo_views(tmp_path / "a.png", 16, 5)
    assert views.shape == (5, 16, 16, 3)
    whole = load_photo(tmp_path / "a.png", 16).pixels
    assert np.array_equal(views[0], whole)
    assert len({view.tobytes() for view in views}) == 5
    assert np.array_equal(views, photo_views(tmp_path / "a.png", 16, 5))
    assert np.array_equal(views[:1], photo_views(tmp_path / "a.png", 16, 1))


@given(st.integers(0, 2**32))
def test_a_box_lies_within_the_photo_and_keeps_enough_of_it(seed: int) -> None:
    left, top, right, bottom = random_box(100, np.random.default_rng(seed))
    assert 0 <= left < right <= 100 + 1e-9
    assert 0 <= top < bottom <= 100 + 1e-9
    assert 0.4 - 1e-9 <= (right - left) * (bottom - top) / 100**2 <= 1 + 1e-9
