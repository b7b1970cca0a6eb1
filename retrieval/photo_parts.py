"""Parts of photos, cut out as pictures of their own."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from twobranch.common.errors import UserError
from twobranch.embedding.preprocess import load_photo, load_thumbnail
from twobranch.retrieval.terms import Edges

LEAST = 8  # pixels of a box's sides; less shows nothing


def cut(data: bytes, box: Edges, side: int, *, name: Path | str) -> Image.Image:
    """Cut the part in a box out of a photo's file.

    ``box`` is in pixels of the upright photo. The part is upright and in sRGB. Its shorter side has at least
    ``side`` pixels, if the photo has so many there: of a large photo no more is decoded than that takes.
    Raises ``ImageError`` for a photo that cannot be read, and ``UserError`` for a box that is not in it.
    """
    photo = load_photo(data, 1, name=name)  # for its size alone
    _check_box(box, photo.width, photo.height, name)
    left, top, right, bottom = box
    longer = max(photo.width, photo.height)
    wanted = min(1.0, side / min(right - left, bottom - top))
    picture = load_thumbnail(data, max(1, round(longer * wanted)), name=name)
    across, down = picture.width / photo.width, picture.height / photo.height
    part = picture.crop((
        int(left * across),
        int(top * down),
        max(round(right * across), int(left * across) + 1),
        max(round(bottom * down), int(top * down) + 1),
    ))  # fmt: skip
    part.getexif().clear()  # it is upright already: the orientation of the file would turn it again
    part.info.pop("exif", None)
    return part


def _check_box(box: Edges, width: int, height: int, name: Path | str) -> None:
    """Raise ``UserError`` for a box that is not in the photo."""
    left, top, right, bottom = box
    asked = f"{name}: the box {left},{top},{right},{bottom}"
    if min(left, top) < 0 or right > width or bottom > height:
        raise UserError(f"{asked} is not inside its {width} x {height} pixels")
    if min(right - left, bottom - top) < LEAST:
        raise UserError(f"{asked} is too small; draw one of {LEAST} x {LEAST} pixels or more")
