"""Augmented views of a training photo.

Users' photos have other sizes, aspects and light than those of a corpus. So a view is a random part of the
photo at a random aspect, with other light, colour and sharpness. Views are drawn once per photo, and the
outputs of the frozen part of the backbone for them are cached (``train.sides.activations``). New views in
every epoch would cost the frozen part, about half of a forward pass, every time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from twobranch.embedding.preprocess import load_photo

# Part of the cache's name: raise it when a view of the same photo would look different.
VIEWS_VERSION = 2

_AREA = (0.4, 1.0)  # of the photo that is kept
_ASPECT = (3 / 4, 4 / 3)  # of the kept part, against the photo's own
_LIGHT = (0.7, 1.3)  # brightness, contrast and saturation
_SHARPNESS = (0.5, 3.0)  # Flickr8k's photos are enlarged and soft, a user's are reduced and crisp


def photo_views(path: Path, size: int, n_views: int) -> NDArray[np.uint8]:
    """Return (n_views, S, S, 3) uint8 RGB views of a photo.

    The first view is the photo as it is indexed; the others are random. The same file gives the same views.
    Raises ``ImageError``.
    """
    whole = load_photo(path, size).pixels  # (S, S, 3)
    views = [whole]
    if n_views > 1:
        # Twice the size, so that a part is not enlarged. A smaller photo is enlarged in any case.
        photo = Image.fromarray(load_photo(path, 2 * size).pixels)
        seed = int.from_bytes(hashlib.sha256(path.read_bytes()).digest()[:8], "little")
        rng = np.random.default_rng(seed)
        views += [_random_view(photo, size, rng) for _ in range(n_views - 1)]
    return np.stack(views)


def _random_view(photo: Image.Image, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a random (S, S, 3) uint8 view of a square photo.

    It is a part of the photo with other light, and mirrored with probability 0.5.
    """
    view = photo.resize((size, size), Image.Resampling.BICUBIC, box=random_box(photo.width, rng))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = enhance(view).enhance(rng.uniform(*_LIGHT))
    pixels = np.asarray(ImageEnhance.Sharpness(view).enhance(rng.uniform(*_SHARPNESS)))
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def random_box(side: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Return the edges of a random part of a square.

    They are left, top, right and bottom. The part has 40 to 100% of the square's area.
    """
    while True:
        area, aspect = rng.uniform(*_AREA), np.exp(rng.uniform(*np.log(_ASPECT)))
        width, height = side * np.sqrt(area * aspect), side * np.sqrt(area / aspect)
        if width <= side and height <= side:
            left, top = rng.uniform(0, side - width), rng.uniform(0, side - height)
            return left, top, left + width, top + height
