"""Photos in their own proportions, for people to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.fakes import write_photo
from twobranch.common.errors import ImageError
from twobranch.embedding.preprocess import load_thumbnail


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "bmp"])
def test_the_longer_side_is_what_was_asked_for(tmp_path: Path, suffix: str) -> None:
    thumbnail = load_thumbnail(write_photo(tmp_path / f"a.{suffix}", "red", (400, 200)), 100)
    assert (thumbnail.size, thumbnail.mode) == ((100, 50), "RGB")
    assert np.abs(np.asarray(thumbnail).astype(int) - (255, 0, 0)).max() < 8


def test_a_small_photo_is_not_enlarged_and_a_narrow_one_keeps_a_pixel(tmp_path: Path) -> None:
    assert load_thumbnail(write_photo(tmp_path / "a.png", "red", (8, 4)), 100).size == (8, 4)
    assert load_thumbnail(write_photo(tmp_path / "b.png", "red", (900, 2)), 100).size == (100, 1)


def test_a_turned_photo_stands_upright(tmp_path: Path) -> None:
    upright = Image.new("RGB", (20, 40), "red")
    upright.paste("blue", (0, 20, 20, 40))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # "turn me 90° clockwise"
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.png", exif=exif)
    thumbnail = load_thumbnail(tmp_path / "a.png", 10)
    assert thumbnail.size == (5, 10)
    assert (thumbnail.getpixel((2, 1)), thumbnail.getpixel((2, 8))) == ((255, 0, 0), (0, 0, 255))


def test_what_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    whole = write_photo(tmp_path / "whole.jpg", "red", (200, 200)).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no photo")
    for name, reason in (
        ("half.jpg", "truncated"),
        ("text.jpg", "not an image, or damaged at its beginning"),
        ("gone.jpg", "no such file"),
        (".", "a folder, not a photo"),
    ):
        with pytest.raises(ImageError) as error:
            load_thumbnail(tmp_path / name, 100)
        assert error.value.reason == reason
