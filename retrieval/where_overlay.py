"""Heat maps as transparent pictures that are laid over the photo."""

from __future__ import annotations

import numpy as np
from PIL import Image

from twobranch.retrieval.where.heat_map import HeatMap

# Heat, and its red, green, blue and opacity. Nothing is laid over what is cold.
COLOURS = (
    (0.0, (255, 221, 87, 0)),
    (0.1, (255, 221, 87, 20)),
    (0.4, (255, 170, 30, 125)),
    (0.7, (250, 90, 30, 165)),
    (1.0, (215, 25, 70, 190)),
)


def overlay(heat_map: HeatMap, width: int, height: int) -> Image.Image:
    """Draw the heat as an RGBA image of this size in pixels."""
    heat = heat_map.enlarged(height, width)
    levels = [level for level, _ in COLOURS]
    channels = zip(*(colour for _, colour in COLOURS), strict=True)
    pixels = np.stack([np.interp(heat, levels, channel) for channel in channels], axis=-1)
    return Image.fromarray(pixels.round().astype(np.uint8), "RGBA")
