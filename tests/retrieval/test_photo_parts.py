"""Parts of photos: cut out of the upright photo, and no larger than needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw

from twobranch.common.errors import ImageError, UserError
from twobranch.embedding.preprocess import load_photo
from twobranch.retrieval.display.heat_map import overlay
from twobranch.retrieval.photo_parts import cut
from twobranch.retrieval.terms import PartTerm, as_typed, term_as_json, term_from_json
from twobranch.retrieval.where.heat_map import HeatMap


def quarters(path: Path, size: tuple[int, int], **how: object) -> bytes:
    """A blue photo whose upper left quarter is red, as a file."""
    photo = Image.new("RGB", size, "blue")
    ImageDraw.Draw(photo).rectangle((0, 0, size[0] // 2 - 1, size[1] // 2 - 1), fill="red")
    photo.save(path, **how)  # type: ignore[arg-type]
    return path.read_bytes()


def colour(image: Image.Image) -> list[int]:
    return [int(value) for value in np.asarray(image).reshape(-1, 3).mean(axis=0).round()]


def test_the_box_is_cut_out_of_the_photo(tmp_path: Path) -> None:
    data = quarters(tmp_path / "a.png", (60, 40))
    part = cut(data, (0, 0, 30, 20), 8, name="a.png")
    assert colour(part.crop((1, 1, part.width - 2, part.height - 2))) == [255, 0, 0]
    assert colour(cut(data, (30, 0, 60, 40), 40, name="a.png")) == [0, 0, 255]


def test_the_box_is_in_the_upright_photo(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # clockwise: the red quarter comes to the upper right
    data = quarters(tmp_path / "a.png", (60, 40), exif=exif)
    assert colour(cut(data, (20, 0, 40, 30), 40, name="a.png")) == [255, 0, 0]
    with pytest.raises(UserError, match="not inside its 40 x 60 pixels"):
        cut(data, (0, 0, 60, 40), 8, name="a.png")


@pytest.mark.parametrize(
    ("box", "side", "size"),
    [
        ((0, 0, 2000, 1000), 100, (200, 100)),  # the shorter side has 100 pixels
        ((0, 0, 200, 400), 100, (100, 200)),
        ((0, 0, 50, 50), 100, (50, 50)),  # the photo has no more
    ],
)
def test_no_more_is_decoded_than_is_needed(
    tmp_path: Path, box: tuple[int, int, int, int], side: int, size: tuple[int, int]
) -> None:
    data = quarters(tmp_path / "a.jpg", (2000, 1000))
    assert cut(data, box, side, name="a.jpg").size == size


def test_errors_name_the_photo(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.jpg: not an image"):
        cut(b"no photo", (0, 0, 8, 8), 8, name="a.jpg")
    data = quarters(tmp_path / "a.png", (60, 40))
    with pytest.raises(UserError, match=r"a\.png: the box 0,0,7,20 is too small; draw one of 8 x 8 pixels"):
        cut(data, (0, 0, 7, 20), 8, name="a.png")


def test_a_part_is_stored_with_a_last_search() -> None:
    term = PartTerm(Path("/a.jpg"), (1, 2, 30, 40), b"\0\0\x80?", 2.0)
    assert term_from_json(term_as_json(term)) == term
    assert as_typed(term) is None


def test_an_overlay_is_opaque_where_it_is_hot() -> None:
    heat = np.zeros((4, 4), dtype=np.float32)
    heat[0, 0] = 1
    pixels = np.asarray(overlay(HeatMap(heat, heat), 40, 20))
    assert pixels.shape == (20, 40, 4)
    assert pixels[1, 1, 3] > 180 and pixels[15, 30, 3] == 0


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_part_is_not_turned_a_second_time(tmp_path: Path, orientation: int) -> None:
    # An encoder turns what its EXIF data says is turned. The part is upright already.
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = quarters(tmp_path / "a.jpg", (80, 80), exif=exif, quality=95)
    part = cut(data, (0, 0, 80, 40), 80, name="a.jpg")
    expected = Image.fromarray(load_photo(data, 80).pixels[:40])
    seen, wanted = (load_photo(one, 8).pixels.astype(int) for one in (part, expected))
    assert np.abs(seen - wanted).max() < 40
