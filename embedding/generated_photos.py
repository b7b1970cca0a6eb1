"""Generated photos, for measuring where no photo is at hand."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 4000, 3000  # of the JPEG
MEGAPIXELS = WIDTH * HEIGHT // 1_000_000


def generated_jpeg() -> bytes:
    """Return a JPEG of about 4 MB.

    It has smooth colours, and noise as a camera leaves it.
    """
    pixels = _smooth(np.random.default_rng(0), (12, 16), (HEIGHT, WIDTH))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def generated_pixels(n: int, size: int) -> NDArray[np.uint8]:
    """Return (N, size, size, 3) uint8 RGB.

    They have smooth colours, in shapes from coarse to fine.
    """
    rng = np.random.default_rng(0)
    shapes = [(int(side), int(side)) for side in np.geomspace(2, max(2, size // 4), n)]
    return np.stack([_smooth(rng, shape, (size, size)) for shape in shapes])


def _smooth(rng: np.random.Generator, coarse: tuple[int, int], fine: tuple[int, int]) -> NDArray[np.uint8]:
    """Return random colours, scaled from a coarse grid, with noise."""
    colours = Image.fromarray(rng.integers(0, 256, (*coarse, 3), dtype=np.uint8))
    pixels = np.asarray(colours.resize(fine[::-1], Image.Resampling.BICUBIC)).astype(np.int16)
    pixels += rng.integers(-4, 5, pixels.shape, dtype=np.int16)
    return np.clip(pixels, 0, 255).astype(np.uint8)
