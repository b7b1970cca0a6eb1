"""A generated photo, for measuring where none is at hand."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 4000, 3000  # of the JPEG
MEGAPIXELS = WIDTH * HEIGHT // 1_000_000


def generated_jpeg() -> bytes:
    """Return a JPEG of about 4 MB.

    It has smooth colours, and noise as a camera leaves it.
    """
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    pixels = np.asarray(smooth.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
    pixels += rng.integers(-4, 5, pixels.shape, dtype=np.int16)
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()
