"""Made-up photos: with something to see in them, for what compares pixels; and strange JPEGs."""

from __future__ import annotations

import io
import struct
from typing import Any

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


def jpeg(mode: str = "RGB", side: int = 64, **options: Any) -> bytes:
    """Noise as a JPEG."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 4), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise, "RGBA").convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def segment(marker: int, data: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def with_segments(photo: bytes, *segments: bytes) -> bytes:
    """The JPEG with these at its beginning."""
    return photo[:2] + b"".join(segments) + photo[2:]


def with_scans(n: int, before: bytes = b"", side: int = 64) -> bytes:
    """A progressive JPEG with its last scan ``n`` times more, ``before`` each of them."""
    photo = jpeg(side=side, progressive=True)
    last = photo[photo.rindex(b"\xff\xc4") : -2]
    return photo[:-2] + (before + last) * n + photo[-2:]
