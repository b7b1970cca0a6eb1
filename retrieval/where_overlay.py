"""Heat maps as transparent pictures that are laid over the photo."""

from __future__ import annotations

import numpy as np
from PIL import Image

from twobranch.retrieval.where.heat_map import HeatMap

# Heat, and its red, green, blue and opacity. Nothing is laid over what is cold.
COLOURS = (
    (0.0, (255, 225, 90, 0)),
    (0.05, (255, 225, 90, 0)),
    (0.15, (255, 215, 70, 60)),
    (0.4, (255, 160, 30, 135)),
    (0.7, (250, 85, 30, 165)),
    (1.0, (215, 25, 70, 190)),
)


def overlay(heat_map: HeatMap, width: int, height: int) -> Image.Image:
    """Draw the heat as an RGBA image of this size in pixels."""
    heat = heat_map.enlarged(height, width)
    levels = [level for level, _ in COLOURS]
    channels = zip(*(colour for _, colour in COLOURS), strict=True)
    pixels = np.stack([np.interp(heat, levels, channel) for channel in channels], axis=-1)
    return Image.fromarray(pixels.round().astype(np.uint8), "RGBA")
