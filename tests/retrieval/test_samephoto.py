"""Two files show the same photo, or they do not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageEnhance

from tests.pictures import scene, with_a_ball
from twobranch.common.errors import ImageError
from twobranch.retrieval.duplicates.same_photo import SAME_BELOW, difference, thumbnail


def look(one: Image.Image, two: Image.Image, folder: Path, quality: int = 90) -> float:
    """The difference of two pictures once they are JPEG files."""
    paths = [folder / f"{name}.jpg" for name in ("one", "two")]
    for picture, path in zip((one, two), paths, strict=True):
        picture.save(path, quality=quality)
    (value,) = difference([thumbnail(paths[0])], [thumbnail(paths[1])])
    return float(value)


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return Image.open(data)


COPIES = {
    "itself": lambda photo: photo,
    "JPEG 30": lambda photo: jpeg(photo, 30),
    "a quarter": lambda photo: photo.resize((80, 60)),
    "larger": lambda photo: photo.resize((640, 480)),
    "without its left tenth": lambda photo: photo.crop((32, 0, 320, 240)),
    "without its upper and right tenth": lambda photo: photo.crop((0, 24, 288, 240)),
    "without a tenth on each side": lambda photo: photo.crop((32, 24, 288, 216)),
    "darker": lambda photo: ImageEnhance.Brightness(photo).enhance(0.85),
    "brighter": lambda photo: ImageEnhance.Brightness(photo).enhance(1.1),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_the_same_either_way_round(kind: str, tmp_path: Path) -> None:
    photo = scene(1)
    assert look(photo, COPIES[kind](photo), tmp_path) < SAME_BELOW
    assert look(COPIES[kind](photo), photo, tmp_path) < SAME_BELOW


def test_another_photo_is_not(tmp_path: Path) -> None:
    photos = [scene(seed) for seed in range(6)]
    values = [look(photos[0], other, tmp_path) for other in photos[1:]]
    assert min(values) > 10 * SAME_BELOW


def test_a_burst_in_which_a_ball_flies_is_several_photos(tmp_path: Path) -> None:
    frames = [with_a_ball(scene(1), x, 100) for x in (100, 116, 200)]  # 5% of the width, and more
    assert look(frames[0], frames[1], tmp_path) > SAME_BELOW
    assert look(frames[0], frames[2], tmp_path) > SAME_BELOW
    assert look(frames[0], scene(1), tmp_path) > SAME_BELOW
    assert look(frames[0], frames[0].resize((160, 120)), tmp_path) < SAME_BELOW


def test_a_black_and_white_version_is_another_photo(tmp_path: Path) -> None:
    assert look(scene(1), scene(1).convert("L").convert("RGB"), tmp_path) == np.inf


def test_frames_of_a_burst_share_a_second(tmp_path: Path) -> None:
    thumbnails = []
    for number, fraction in enumerate(("040", "240", "040", None)):
        exif = Image.Exif()
        details = exif.get_ifd(ExifTags.IFD.Exif)
        details[ExifTags.Base.DateTimeOriginal] = "2024:05:01 12:00:00"
        if fraction is not None:
            details[ExifTags.Base.SubsecTimeOriginal] = fraction
        scene(1).save(tmp_path / f"{number}.jpg", exif=exif)
        thumbnails.append(thumbnail(tmp_path / f"{number}.jpg"))
    first, second, edited, stripped = thumbnails
    assert difference([first, second], [second, edited]).tolist() == [np.inf, np.inf]
    assert (difference([first, first], [edited, stripped]) < SAME_BELOW).all()


def test_photos_without_any_detail_are_never_said_to_be_the_same(tmp_path: Path) -> None:
    black = Image.new("RGB", (320, 240))
    assert look(black, black, tmp_path) == np.inf  # exact copies are known by their content


def test_many_pairs_at_once(tmp_path: Path) -> None:
    for seed in range(3):
        scene(seed).save(tmp_path / f"{seed}.png")
    small = [thumbnail(tmp_path / f"{seed}.png") for seed in range(3)]
    one, two = [small[i % 3] for i in range(200)], [small[i % 2] for i in range(200)]
    expected = [i % 3 == i % 2 for i in range(200)]
    assert ((difference(one, two) < SAME_BELOW) == expected).all()
    assert difference([], []).shape == (0,)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    with pytest.raises(ImageError):
        thumbnail(tmp_path / "broken.jpg")
