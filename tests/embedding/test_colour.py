"""Colours that a profile gives another meaning are shown as what they mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageCms

from twobranch.embedding.preprocess import load_thumbnail


def swapped_profile() -> bytes:
    """sRGB's profile with the colours of red and green exchanged in its table of tags."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ", 128), data.index(b"gXYZ", 128)
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_a_profile_says_what_the_numbers_mean(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (40, 40), (250, 0, 0)).save(tmp_path / name, icc_profile=swapped_profile())
    red, green, blue = load_thumbnail(tmp_path / name, 20).getpixel((9, 9))  # type: ignore[misc]
    assert (red < 20, green > 230, blue < 20) == (True, True, True)


@pytest.mark.parametrize("profile", [b"no profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))])
def test_a_profile_that_says_nothing_of_rgb_is_left_aside(
    tmp_path: Path, profile: bytes | ImageCms.ImageCmsProfile
) -> None:
    data = profile if isinstance(profile, bytes) else profile.tobytes()
    Image.new("RGB", (8, 8), (250, 0, 0)).save(tmp_path / "a.png", icc_profile=data)
    assert load_thumbnail(tmp_path / "a.png", 8).getpixel((1, 1)) == (250, 0, 0)
