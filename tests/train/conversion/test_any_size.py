"""Squares out of photos of any size: to the pixel those of transformers and of open_clip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("transformers")
pytest.importorskip("open_clip")
import transformers
from open_clip.transform import PreprocessCfg, image_transform_v2

from twobranch.embedding.preparation import Filter, Fit, Framing
from twobranch.embedding.preprocess import load_photo

SIZE = 32
SIDE = st.integers(1, 300)
NUMBERS = {"nearest": 0, "bilinear": 2, "bicubic": 3}  # as Pillow has them


def photo(width: int, height: int) -> Image.Image:
    """A photo in which each column and row differs."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.arange(width) % 256
    pixels[..., 1] = (np.arange(height) * 3 % 256)[:, None]
    pixels[..., 2] = (np.add.outer(np.arange(height), np.arange(width)) % 7) * 36
    return Image.fromarray(pixels)


def is_usual(width: int, height: int) -> bool:
    """Ours cuts the ends off longer strips before it scales them, to spare the memory."""
    return max(width, height) <= 8 * min(width, height)


@settings(max_examples=150, deadline=None)
@given(SIDE, SIDE, st.sampled_from(("crop", "squash")), st.sampled_from(sorted(NUMBERS)))
@example(97, 61, "crop", "bicubic")
def test_squares_of_transformers(width: int, height: int, fit: Fit, name: Filter) -> None:
    if not is_usual(width, height):
        return
    square = {"height": SIZE, "width": SIZE}
    kind = transformers.models.clip.image_processing_pil_clip.CLIPImageProcessorPil
    processor = kind(
        size={"shortest_edge": SIZE} if fit == "crop" else square,
        crop_size=square,
        resample=NUMBERS[name],
        do_rescale=False,
        do_normalize=False,
    )
    picture = photo(width, height)
    expected = processor(picture, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    ours = load_photo(picture, SIZE, framing=Framing(fit, name, "floor")).pixels
    np.testing.assert_array_equal(ours, expected)


@settings(max_examples=150, deadline=None)
@given(SIDE, SIDE, st.sampled_from(("crop", "squash")), st.sampled_from(("bilinear", "bicubic")))
@example(97, 61, "crop", "bicubic")
def test_squares_of_open_clip(width: int, height: int, fit: Fit, name: Filter) -> None:
    if not is_usual(width, height):
        return
    mode = "shortest" if fit == "crop" else "squash"
    preparation = PreprocessCfg(SIZE, mean=(0, 0, 0), std=(1, 1, 1), interpolation=name, resize_mode=mode)
    picture = photo(width, height)
    values = image_transform_v2(preparation, is_train=False)(picture).numpy()
    ours = load_photo(picture, SIZE, framing=Framing(fit, name, "round")).pixels
    np.testing.assert_array_equal(ours, np.rint(values * 255).transpose(1, 2, 0))
