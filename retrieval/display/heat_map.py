"""Heat maps and boxes drawn over a photo.

The photo is dimmed, and the heat is laid over it like coloured light: cold parts show the photo as it is, hot
parts glow. Colours run from dark violet over red to pale yellow and get lighter in even steps, so they can be
told apart without red and green, and in print.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from twobranch.retrieval.display.lettering import font
from twobranch.retrieval.display.tables import percent
from twobranch.retrieval.where.heat_map import HeatMap
from twobranch.retrieval.where.locator import Edges, PhraseMap, Region

if TYPE_CHECKING:
    from twobranch.retrieval.hit_places import HitPlaces

# Colours at even steps of heat, from cold to hot: the lightness (CIE L*) rises by 8 to 13 of 100 at each.
# They are those of the colour map "inferno" (S. van der Walt and N. Smith, 2015; CC0).
_STOPS = (
    (0, 0, 4), (27, 12, 65), (74, 12, 107), (120, 28, 109), (165, 44, 96), (207, 68, 70), (237, 105, 37),
    (251, 155, 6), (247, 209, 61), (252, 255, 164),
)  # fmt: skip
_SHADES = 256
_DIMMED = 0.55  # of the photo's light that is left under the heat
_OPACITY = 0.72  # of the hottest parts; some of the photo is seen through them
_LINES = 500  # pixels of the image's longer side for each pixel of a line's width
_LETTERS = 32  # the same for each pixel of a label's height
_LEAST_LETTERS, _MOST_LETTERS = 10, 30  # pixels; smaller ones cannot be read
_INK, _PAPER = (255, 255, 255), (0, 0, 0)


def colour_table() -> NDArray[np.uint8]:
    """Return (256, 3) uint8 RGB, the colours from cold to hot."""
    at, stops = np.linspace(0, len(_STOPS) - 1, _SHADES), np.array(_STOPS, dtype=np.float64)
    channels = [np.interp(at, range(len(_STOPS)), stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def over_photo(
    photo: Image.Image, maps: Sequence[PhraseMap], width: int, *, labels: bool = True
) -> Image.Image:
    """Draw heat maps and their boxes over a photo.

    ``photo`` is RGB and upright, in any size; ``width`` is that of the original, whose pixels the boxes are
    in. The heat of several maps is the hottest of them at each place. With ``labels`` each box has its
    confidence beside it.
    """
    heat = np.max([one.heat_map.enlarged(photo.height, photo.width) for one in maps], axis=0)
    image = heated(photo, heat)
    regions = [region for one in maps for region in reversed(one.regions)]  # the best on top
    _draw_boxes(image, regions, photo.width / width, labels=labels)
    return image


def with_places(photo: Image.Image, places: HitPlaces | None, *, labels: bool = True) -> Image.Image:
    """Draw the places in the photo of a hit, as ``over_photo``.

    A photo in which nothing fits is returned as it is.
    """
    if places is None or places.drawn is None:
        return photo
    return over_photo(photo, places.drawn.phrases, places.drawn.width, labels=labels)


def overlay(heat_map: HeatMap, width: int, height: int) -> Image.Image:
    """Draw the heat as an RGBA image to lay over a photo.

    ``width`` and ``height`` are in pixels.
    """
    heat = heat_map.enlarged(height, width)
    opacity = np.rint(255 * _OPACITY * heat).astype(np.uint8)
    return Image.fromarray(np.dstack([_colours(heat), opacity]), "RGBA")


def _colours(heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the (H, W, 3) colours of (H, W) heat."""
    return colour_table()[np.rint(heat * (_SHADES - 1)).astype(np.intp)]


def heated(photo: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """Return the dimmed RGB photo under its heat.

    ``heat`` has a value from 0 to 1 for each pixel, (height, width).
    """
    opacity = (_OPACITY * heat)[..., None]
    pixels = (1 - opacity) * (_DIMMED * np.asarray(photo, dtype=np.float32)) + opacity * _colours(heat)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _draw_boxes(image: Image.Image, regions: Sequence[Region], scale: float, *, labels: bool) -> None:
    """Draw a box around each region, the last one on top."""
    draw = ImageDraw.Draw(image)
    longer = max(image.size)
    line = max(1, round(longer / _LINES))
    for region in regions:
        left, top, right, bottom = edges = _on_image(region.box, scale, image.size)
        # A white line between two dark ones is seen on any ground.
        for inset, colour, width in ((0, _PAPER, 3 * line), (line, _INK, line)):
            box = (left + inset, top + inset, right - 1 - inset, bottom - 1 - inset)
            if box[2] - box[0] >= 2 * width and box[3] - box[1] >= 2 * width:
                draw.rectangle(box, outline=colour, width=width)
        if labels:
            height = min(max(longer // _LETTERS, _LEAST_LETTERS), _MOST_LETTERS)
            _draw_label(draw, edges, percent(region.confidence), height, line)


def _on_image(box: Edges, scale: float, size: tuple[int, int]) -> Edges:
    """Return the box in pixels of the image. It is at least one pixel wide and high."""
    left, top, right, bottom = (round(edge * scale) for edge in box)
    left, top = min(left, size[0] - 1), min(top, size[1] - 1)
    return left, top, min(size[0], max(right, left + 1)), min(size[1], max(bottom, top + 1))


def _draw_label(draw: ImageDraw.ImageDraw, edges: Edges, text: str, height: int, line: int) -> None:
    """Write a label into the upper left corner of a box.

    A box that is too small has it above or, at the upper edge of the image, below.
    """
    letters = font(height)
    left, top, right, bottom = edges
    pad = max(2, height // 3)
    # The plate is as high for "8%" as for "<1%".
    wide, high = round(letters.getlength(text)) + 2 * pad, height + pad
    width, depth = draw.im.size
    if wide <= right - left - 4 * line and high <= bottom - top - 4 * line:
        x, y = left + 2 * line, top + 2 * line
    else:
        x, y = max(0, min(left, width - wide - 1)), top - high - 1 if top > high else bottom
    if x + wide >= width or y + high >= depth:
        return  # the image itself is too small
    draw.rectangle((x, y, x + wide, y + high), fill=_PAPER)
    draw.text((x + wide / 2, y + high / 2), text, fill=_INK, font=letters, anchor="mm")
