"""A library of any size whose photos can be looked at, for measuring the page.

Vectors and catalogue are those of `benchmarks.biglibrary`. Dates are spread over twenty years, more of them
of later ones, and shapes are those of cameras and phones, upright or not. The thumbnails are a few generated
pictures under many names, as `serve` would have made them; the photo files are one byte that looks unchanged.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.biglibrary import make_library

PICTURES = 60  # different ones; a file can have no more than 65,000 names
SIDES = (320, 640)  # pixels of the thumbnails of the grid
SHAPES = ((4000, 3000), (3000, 4000), (6000, 4000), (4032, 2268), (3024, 3024))
FIRST, YEARS = datetime.datetime(2004, 1, 1), 20


def make_viewable_library(folder: Path, n: int) -> Path:
    """Make a library of ``n`` photos in a folder that does not exist yet, and return its path."""
    library = folder / "library"
    make_library(library, n, folder / "photos")
    dress(library, n)
    return library


def dress(library: Path, n: int) -> None:
    """Give the ``n`` photos of a library of `benchmarks.biglibrary` dates, shapes and thumbnails."""
    rng = np.random.default_rng(7)
    days = np.sort(rng.triangular(0, YEARS * 365, YEARS * 365, n))
    shapes = rng.choice(len(SHAPES), n, p=(0.4, 0.25, 0.15, 0.15, 0.05))
    with closing(sqlite3.connect(library / "catalog.sqlite")) as catalog, catalog:
        catalog.executemany(
            "UPDATE images SET taken_at = ?, width = ?, height = ?, size = ? WHERE id = ?",
            (
                (f"{FIRST + datetime.timedelta(days=day):%Y-%m-%d %H:%M:%S}.000000", *SHAPES[shape], 1, id_)
                for id_, (day, shape) in enumerate(zip(days.tolist(), shapes.tolist(), strict=True), 1)
            ),
        )
    _add_thumbnails(library, shapes.tolist())


def _add_thumbnails(library: Path, shapes: list[int]) -> None:
    """Give each photo thumbnails of its shape."""
    thumbnails = library / "thumbnails"
    originals = {
        (number, shape, side): _picture(thumbnails, number, shape, side)
        for number in range(PICTURES)
        for shape in range(len(SHAPES))
        for side in SIDES
    }
    for id_, shape in enumerate(shapes, 1):
        name = hashlib.sha256(b"%d" % id_).hexdigest()
        (thumbnails / name[:2]).mkdir(exist_ok=True)
        for side in SIDES:
            os.link(originals[id_ % PICTURES, shape, side], thumbnails / name[:2] / f"{name}.{side}.webp")


def _picture(thumbnails: Path, number: int, shape: int, side: int) -> Path:
    """Write a picture as large as a thumbnail of a photo is, a smooth field of colours with noise."""
    rng = np.random.default_rng((number, shape))
    width, height = SHAPES[shape]
    scale = side / max(width, height)
    field = Image.fromarray(rng.integers(0, 255, (5, 6, 3), dtype=np.uint8))
    smooth = np.asarray(field.resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC))
    noisy = smooth + rng.normal(0, 8, smooth.shape)
    data = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(data, "WEBP", quality=80)
    path = thumbnails / "00" / f"made-up-{number}-{shape}.{side}.webp"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.getvalue())
    return path
