"""Made-up photos with something to see in them, for what compares pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIZE = (320, 240)


def scene(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Soft patches of random colours, another picture for each ``seed``."""
    patches = np.random.default_rng(seed).integers(20, 235, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def with_a_ball(photo: Image.Image, x: int, y: int) -> Image.Image:
    """The photo, and a white ball of 30 pixels (a tenth of its width) in it."""
    yy, xx = np.mgrid[:120, :120] - 59.5
    ball = Image.fromarray(np.uint8(255 * (xx**2 + yy**2 < 59**2))).resize((30, 30))
    frame = photo.copy()
    frame.paste("white", (x, y, x + 30, y + 30), ball)
    return frame
