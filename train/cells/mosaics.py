"""Mosaics of photos, in which the place of each photo is known.

No boxes of things are needed to learn from them, nor to measure with them. A tile shows a whole photo,
so its caption is true of its cells and of no other cells of the mosaic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twobranch.embedding.preprocess import load_thumbnail

Edges = tuple[int, int, int, int]  # left, top, right, bottom in pixels

MOSAICS_VERSION = 1  # raise it when the same draws would give other pictures

_LARGEST = 480  # pixels of a photo's longer side before it becomes a tile
_INSIDE = 0.75  # of a cell's area: as much of one tile makes the cell a part of it
_KEPT = 0.7  # the least share of a photo's width and height that a training tile shows
_ASPECT = (0.75, 1.33)  # of the part that a training tile shows, against the photo's own
_LAYOUTS = (0.25, 0.15, 0.35, 0.25)  # shares of 2 x 2, 3 x 3, uneven tiles, and a photo pasted on another
_UNEVEN = (2, 7)  # tiles
_PASTED = (0.2, 0.6)  # of the side


@dataclass(frozen=True)
class Mosaic:
    """The photos of a mosaic and their places. Later tiles lie over earlier ones."""

    photos: tuple[int, ...]  # rows of a list of photos
    tiles: tuple[Edges, ...]


def grid_tiles(n: int, side: int) -> tuple[Edges, ...]:
    """Return n x n equal tiles, row by row."""
    edges = np.linspace(0, side, n + 1).astype(int).tolist()
    return tuple((edges[x], edges[y], edges[x + 1], edges[y + 1]) for y in range(n) for x in range(n))


def pasted_tiles(share: float, side: int, rng: np.random.Generator) -> tuple[Edges, Edges]:
    """Return the whole picture, and a small square somewhere on it.

    Its side is ``share`` of the picture's.
    """
    small = int(share * side)
    left, top = (int(edge) for edge in rng.integers(0, side - small + 1, 2))
    return (0, 0, side, side), (left, top, left + small, top + small)


def uneven_tiles(n: int, side: int, rng: np.random.Generator) -> tuple[Edges, ...]:
    """Cut a square into n tiles, one in two each time.

    Large tiles are cut more often.
    """
    tiles: list[Edges] = [(0, 0, side, side)]
    while len(tiles) < n:
        areas = [(right - left) * (bottom - top) for left, top, right, bottom in tiles]
        at = int(np.argmax(np.array(areas) * rng.uniform(0.5, 1, len(tiles))))
        left, top, right, bottom = tiles.pop(at)
        share = rng.uniform(0.35, 0.65)
        if (right - left) * rng.uniform(0.6, 1.6) > bottom - top:
            middle = left + int(share * (right - left))
            tiles += [(left, top, middle, bottom), (middle, top, right, bottom)]
        else:
            middle = top + int(share * (bottom - top))
            tiles += [(left, top, right, middle), (left, middle, right, bottom)]
    return tuple(tiles)


def training_mosaic(n_photos: int, side: int, rng: np.random.Generator) -> Mosaic:
    """Draw a mosaic of different photos, with any of the layouts."""
    layout = rng.choice(4, p=_LAYOUTS)
    if layout < 2:
        tiles = grid_tiles(2 + int(layout), side)
    elif layout == 2:
        tiles = uneven_tiles(int(rng.integers(_UNEVEN[0], _UNEVEN[1] + 1)), side, rng)
    else:
        tiles = pasted_tiles(float(rng.uniform(*_PASTED)), side, rng)
    tiles = tiles[-n_photos:]
    return Mosaic(tuple(rng.choice(n_photos, len(tiles), replace=False).tolist()), tiles)


def compose(
    photos: Sequence[Path], tiles: Sequence[Edges], side: int, rng: np.random.Generator | None = None
) -> NDArray[np.uint8]:
    """Return the (S, S, 3) uint8 RGB pixels of a mosaic.

    Each photo is squashed into its tile; with ``rng`` a random part of it is, at random mirrored. Raises
    ``ImageError``.
    """
    picture = Image.new("RGB", (side, side))
    for path, (left, top, right, bottom) in zip(photos, tiles, strict=True):
        size = (right - left, bottom - top)
        photo = load_thumbnail(path, _LARGEST)
        tile = photo.resize(size, Image.Resampling.BICUBIC, box=_part(photo.size, size, rng))
        if rng is not None and rng.random() < 0.5:
            tile = tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture.paste(tile, (left, top))
    return np.asarray(picture)


def _part(
    photo: tuple[int, int], tile: tuple[int, int], rng: np.random.Generator | None
) -> tuple[float, float, float, float]:
    """Return the part of a photo that a tile shows.

    Without ``rng`` it is all of it.
    """
    width, height = photo
    if rng is None:
        return 0, 0, width, height
    aspect = float(np.clip(np.sqrt(tile[0] / tile[1]), *_ASPECT))
    wide, high = min(1, aspect) * rng.uniform(_KEPT, 1), min(1, 1 / aspect) * rng.uniform(_KEPT, 1)
    left, top = rng.uniform(0, 1 - wide) * width, rng.uniform(0, 1 - high) * height
    return left, top, left + wide * width, top + high * height


def tile_of_cells(tiles: Sequence[Edges], side: int, grid: tuple[int, int]) -> NDArray[np.int64]:
    """Return the number of the tile of each cell, (h, w).

    It is -1 for a cell of which no tile has at least 75%. A tile counts where it is not covered.
    """
    owner = np.full((side, side), -1, dtype=np.int64)
    for number, (left, top, right, bottom) in enumerate(tiles):
        owner[top:bottom, left:right] = number
    height, width = grid
    rows = np.minimum(np.arange(side) * height // side, height - 1)
    columns = np.minimum(np.arange(side) * width // side, width - 1)
    cell = rows[:, None] * width + columns[None, :]
    areas = np.bincount(cell.ravel(), minlength=height * width)
    found = np.full(height * width, -1, dtype=np.int64)
    for number in range(len(tiles)):
        inside = np.bincount(cell[owner == number], minlength=height * width)
        found[inside >= _INSIDE * areas] = number
    return found.reshape(height, width)
