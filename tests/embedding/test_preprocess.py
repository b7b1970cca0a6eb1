"""Photos of every kind become the same square of RGB pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from twobranch.common.errors import ImageError
from twobranch.embedding import preprocess
from twobranch.embedding.preprocess import TTA, WHOLE, View, decoding_bytes, load_photo, load_views

RED, GREEN = (255, 0, 0), (0, 255, 0)


def two_halves(width: int = 40, height: int = 20) -> Image.Image:
    """Red on the left, green on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    return image


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "gif", "webp", "jpg"])
def test_every_format_gives_a_square(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    two_halves().save(path)
    photo = load_photo(path, 8)
    assert (photo.pixels.shape, photo.pixels.dtype) == ((8, 8, 3), np.uint8)
    assert (photo.width, photo.height) == (40, 20)
    # The whole photo is in view: the left edge is red, the right edge green (JPEG and WebP blur a little).
    assert np.abs(photo.pixels[:, 0].astype(int) - RED).max() < 24
    assert np.abs(photo.pixels[:, -1].astype(int) - GREEN).max() < 24


def test_a_path_bytes_and_an_open_image_are_the_same_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    two_halves().save(path)
    from_path = load_photo(path, 8).pixels
    assert np.array_equal(from_path, load_photo(path.read_bytes(), 8).pixels)
    assert np.array_equal(from_path, load_photo(two_halves(), 8).pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    """Each of the eight orientations, written so that the upright photo is red over green."""
    upright = Image.new("RGB", (20, 40), RED)
    upright.paste(GREEN, (0, 20, 20, 40))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # shown after turning 270° counter-clockwise
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "a.png"
    stored.save(path, exif=exif)
    photo = load_photo(path, 8)
    assert (photo.width, photo.height) == (20, 40)
    assert tuple(photo.pixels[0, 4]) == RED
    assert tuple(photo.pixels[-1, 4]) == GREEN


def test_transparency_is_laid_over_white() -> None:
    assert load_photo(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), 8).pixels.min() == 255


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    half = np.full((4, 4), 32768, dtype=np.uint16)  # half of 65535 is 127.5 of 255
    assert load_photo(Image.fromarray(half), 8).pixels.mean() == pytest.approx(127, abs=1)


def test_float_images_run_to_one_or_to_255() -> None:
    values = np.array([[0, 0.5], [1, np.nan]], dtype=np.float32)
    assert load_photo(Image.fromarray(values), 2).pixels[..., 0].tolist() == [[0, 127], [255, 0]]
    assert load_photo(Image.fromarray(values * 255), 2).pixels[..., 0].tolist() == [[0, 127], [255, 0]]


def test_an_open_image_is_left_as_it_was(tmp_path: Path) -> None:
    Image.new("RGB", (1600, 1200), RED).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        load_photo(image, 8)
        assert image.size == (1600, 1200)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA", "YCbCr"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    assert load_photo(Image.new("L", (4, 4), 255).convert(mode), 8).pixels.shape == (8, 8, 3)


def test_a_large_jpeg_is_decoded_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder is asked for no more than it takes: 1600 pixels come out as 200, an eighth."""
    data = io.BytesIO()
    Image.new("RGB", (1600, 1600), RED).save(data, "JPEG")
    seen: list[tuple[int, int]] = []
    real = preprocess._to_rgb
    monkeypatch.setattr(preprocess, "_to_rgb", lambda image: seen.append(image.size) or real(image))
    assert load_photo(data.getvalue(), 160).width == 1600
    assert seen == [(200, 200)]


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    data = io.BytesIO()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(data, "JPEG")
    cases = {
        "empty file": b"",
        "not an image": b"hello",
        "truncated": data.getvalue()[:-500],
    }
    for reason, content in cases.items():
        path = tmp_path / "bad.jpg"
        path.write_bytes(content)
        with pytest.raises(ImageError, match=reason) as caught:
            load_photo(path, 8)
        assert caught.value.path == path
    with pytest.raises(ImageError, match="no such file"):
        load_photo(tmp_path / "missing.jpg", 8)
    with pytest.raises(ImageError, match="a folder"):
        load_photo(tmp_path, 8)


def test_a_photo_past_the_limit_is_refused_by_its_header() -> None:
    with pytest.raises(ImageError, match="11 x 10 is more than"):
        load_views(Image.new("RGB", (11, 10)), 8, WHOLE, max_pixels=109)
    assert load_views(Image.new("RGB", (11, 10)), 8, WHOLE, max_pixels=110).width == 11


def test_a_view_is_cut_about_the_centre_and_mirrored() -> None:
    """Nine tenths of 40 pixels are the 36 in the middle, and 36 pixels of them need no scaling."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    photo = load_views(Image.fromarray(noise), 36, (View(share=0.9), View(share=0.9, mirrored=True)))
    assert (photo.width, photo.height) == (40, 40)
    assert np.array_equal(photo.pixels[0], noise[2:38, 2:38])
    assert np.array_equal(photo.pixels[1], noise[2:38, 2:38][:, ::-1])


def test_the_first_view_of_tta_is_the_photo_as_it_is_without() -> None:
    whole, mirrored_centre = load_views(two_halves(), 8, TTA).pixels
    assert np.array_equal(whole, load_photo(two_halves(), 8).pixels)
    assert tuple(mirrored_centre[0, 0]) == GREEN
    assert tuple(mirrored_centre[0, -1]) == RED


def test_views_are_mirrored_after_the_photo_was_turned_upright() -> None:
    """Lying on its side (orientation 6), red over green is stored as red left of green."""
    stored = two_halves(40, 40)
    stored.getexif()[ExifTags.Base.Orientation] = 6
    upright = ImageOps.exif_transpose(stored)
    views = (View(share=0.8), View(mirrored=True))
    assert np.array_equal(load_views(stored, 8, views).pixels, load_views(upright, 8, views).pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_window_lies_at_its_place_in_the_upright_photo(orientation: int) -> None:
    """Half of 40 pixels, from the 10th column and the 20th row on, need no scaling."""
    rng = np.random.default_rng(0)
    stored = Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    stored.getexif()[ExifTags.Base.Orientation] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored))
    seen = load_views(stored, 20, (View(share=0.5, left=0.25, top=0.5),)).pixels[0]
    assert np.array_equal(seen, upright[20:40, 10:30])


def test_a_large_jpeg_is_decoded_large_enough_for_a_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    """190 pixels of the whole photo come out of 200, an eighth; of 85 % of it they need 224."""
    data = io.BytesIO()
    Image.new("RGB", (1600, 1600), RED).save(data, "JPEG")
    seen: list[tuple[int, int]] = []
    real = preprocess._to_rgb
    monkeypatch.setattr(preprocess, "_to_rgb", lambda image: seen.append(image.size) or real(image))
    load_photo(data.getvalue(), 190)
    load_views(data.getvalue(), 190, TTA)
    assert seen == [(200, 200), (400, 400)]


# --- memory -----------------------------------------------------------------------------------------


def saved(path: Path, mode: str, size: tuple[int, int], **options: Any) -> Path:
    Image.new(mode, size).save(path, **options)
    return path


def needed(path: Path, **options: int) -> int:
    """Of decoding the photo to 100 pixels square."""
    with path.open("rb") as file:
        return decoding_bytes(file, path, 100, WHOLE, **options)


def test_memory_is_known_from_the_header(tmp_path: Path) -> None:
    jpeg = saved(tmp_path / "a.jpg", "RGB", (800, 400))
    # Of 1/1, 1/2, 1/4 and 1/8 the smallest that is not below 100 x 100 is 1/4.
    assert needed(jpeg) == 200 * 100 * 8
    progressive = saved(tmp_path / "b.jpg", "RGB", (800, 400), progressive=True)
    assert needed(progressive) == 800 * 400 * 6 + 200 * 100 * 8
    assert needed(saved(tmp_path / "c.png", "RGB", (800, 400))) == 800 * 400 * 8
    assert needed(saved(tmp_path / "d.png", "RGBA", (800, 400))) == 800 * 400 * 20


def test_what_will_not_be_decoded_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    assert needed(tmp_path / "text.jpg") == 0
    assert needed(saved(tmp_path / "large.png", "RGB", (20, 20)), max_pixels=399) == 0
