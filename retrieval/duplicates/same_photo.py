"""Comparison of two photos: copies of one exposure, or not.

A copy may be re-encoded, resized, slightly cropped or brightened. Small grey thumbnails are aligned by moving
and stretching one of them: a crop squashed to a square is the whole photo, moved and stretched along each
axis. They are then compared window by window, and the window that differs most decides: a mean over the photo
would miss a hand that moved. Measured in benchmarks/duplicates.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twobranch.embedding.preprocess import load_photo
from twobranch.indexer.disk.exif import read_moment
from twobranch.indexer.disk.open import read_file

SIDE = 64  # pixels of a thumbnail's side; a compared window has an eighth of it
SAME_BELOW = 0.05  # limit for `difference`, chosen on one half of the photos of benchmarks/duplicates.md

_Floats = NDArray[np.float32]

_COLOUR_SIDE = 16
# Levels of 255 in the quarter whose chroma differs most. A black-and-white version differs by more.
_MOST_COLOUR = 15.0
_WINDOW = 8
# The alignment has (side, steps) for each scale. Its starts are scales: unchanged, and a fifth more or less
# of the photo in view.
_COARSE, _STEPS = (16, 8), ((32, 8), (64, 8))
_STARTS = (1.0, 0.8, 1.25)
_FEWEST_SHARED = 0.55  # of the area; cropping a tenth off each of four sides leaves 0.64
# The least correlation at the coarse scale. Nearly all different pairs are rejected here, after 0.8 ms.
_LEAST_CORRELATION = 0.85
_NOISE = 400.0  # squared levels; smaller differences may be JPEG noise, which matters in flat windows
_WHITE = 245.0  # level from which a brightened photo is clipped
_AT_A_TIME = 64  # pairs compared at once: about 20 MB

_BLUR = np.array([0.25, 0.5, 0.25], dtype=np.float32)


@dataclass(frozen=True)
class Thumbnail:
    """A small version of a photo, of 4.5 KB.

    Tens of thousands fit into memory.
    """

    grey: NDArray[np.uint8]  # (SIDE, SIDE)
    colour: NDArray[np.uint8]  # (2, 16, 16) chroma; 128 is neutral
    moment: str | None = None  # when it was taken, with fractions of a second, if EXIF has it


def thumbnail(path: Path) -> Thumbnail:
    """Make the thumbnail of the photo at ``path``.

    The photo is turned upright and squashed to a square. Raises ``ImageError``.
    """
    photo = load_photo(read_file(path), SIDE, name=path)  # a pipe in its place raises instead of blocking
    luma, *chroma = Image.fromarray(photo.pixels).convert("YCbCr").split()
    small = [np.asarray(band.reduce(SIDE // _COLOUR_SIDE)) for band in chroma]
    return Thumbnail(np.asarray(luma), np.stack(small), read_moment(photo.exif))


def difference(first: Sequence[Thumbnail], second: Sequence[Thumbnail]) -> _Floats:
    """Compute the (P,) differences of pairs of photos.

    Below ``SAME_BELOW`` the two photos are the same. The difference is that of the most different window: its
    squared difference divided by its variance, after the best alignment, brightness and contrast. It is
    infinite if the photos cannot be aligned, their colours differ, or EXIF gives two moments (two frames of a
    burst).
    """
    result = np.full(len(first), np.inf, dtype=np.float32)
    for start in range(0, len(first), _AT_A_TIME):
        one, two = first[start : start + _AT_A_TIME], second[start : start + _AT_A_TIME]
        a, b = _greys(one), _greys(two)
        where, correlation = _align_coarsely(a, b)
        one_moment = [_one_moment(*pair) for pair in zip(one, two, strict=True)]
        near = np.flatnonzero((correlation >= _LEAST_CORRELATION) & one_moment)
        if not len(near):
            continue
        a, b, where = a[near], b[near], where[near]
        for side, steps in _STEPS:
            where = _refine(_shrink(a, side), _shrink(b, side), where, steps)
        worst = _worst_window(a, b, where)
        colour_a, colour_b = _colours(one, near), _colours(two, near)
        worst[_worst_colour(colour_a, colour_b, where) > _MOST_COLOUR] = np.inf
        result[start + near] = worst
    return result


def _one_moment(one: Thumbnail, two: Thumbnail) -> bool:
    return one.moment is None or two.moment is None or one.moment == two.moment


# --- alignment: `where` is (P, 4), scale and shift along x and along y. A point (x, y) of the first photo,
# --- from -1 to 1, is at (where[0] * x + where[1], where[2] * y + where[3]) in the second.


def _greys(thumbnails: Sequence[Thumbnail]) -> _Floats:
    """Stack thumbnails as (P, SIDE, SIDE) levels, slightly blurred.

    Finer detail differs between a photo and its smaller copy, and between interpolated pixels and others.
    """
    image = np.stack([each.grey for each in thumbnails]).astype(np.float32)
    for axis in (1, 2):
        padded = np.pad(image, [(0, 0) if other != axis else (1, 1) for other in range(3)], mode="edge")
        parts = (padded.take(range(step, step + SIDE), axis) * _BLUR[step] for step in range(3))
        image = np.asarray(sum(parts), dtype=np.float32)
    return image


def _colours(thumbnails: Sequence[Thumbnail], chosen: NDArray[np.intp]) -> _Floats:
    """Stack the chroma of chosen thumbnails as (n, 2, 16, 16) float32."""
    return np.stack([thumbnails[i].colour for i in chosen.tolist()]).astype(np.float32)


def _shrink(image: _Floats, side: int) -> _Floats:
    n, full, _ = image.shape
    if full == side:
        return image
    return image.reshape(n, side, full // side, side, full // side).mean(axis=(2, 4))


def _warp(image: _Floats, where: _Floats) -> tuple[_Floats, _Floats]:
    """Warp the second photo to the first one's coordinates.

    Returns (P, S, S) levels, and (P, S, S) masks: 1 inside the second photo, else 0. The two axes are
    independent, so bilinear interpolation is a product with one matrix on either side.
    """
    side = image.shape[-1]
    grid = np.linspace(-1, 1, side, dtype=np.float32)
    pixels = np.arange(side, dtype=np.float32)

    def axis(scale: _Floats, shift: _Floats) -> tuple[_Floats, _Floats]:
        at = (scale[:, None] * grid + shift[:, None] + 1) * ((side - 1) / 2)
        inside = (at >= -0.01) & (at <= side - 0.99)
        return np.maximum(0, 1 - np.abs(at[:, :, None] - pixels)), inside.astype(np.float32)

    across, inside_x = axis(where[:, 0], where[:, 1])
    down, inside_y = axis(where[:, 2], where[:, 3])
    return down @ image @ across.transpose(0, 2, 1), inside_y[:, :, None] * inside_x[:, None, :]


def _align_coarsely(a: _Floats, b: _Floats) -> tuple[_Floats, _Floats]:
    """Align pairs at the coarse scale, from several starts.

    Returns the (P, 4) best alignments and their (P,) correlations.
    """
    side, steps = _COARSE
    a, b = _shrink(a, side), _shrink(b, side)
    where, best = np.empty((len(a), 4), np.float32), np.full(len(a), -1, np.float32)
    for start in _STARTS:
        tried = _refine(a, b, np.tile(np.array([start, 0, start, 0], np.float32), (len(a), 1)), steps)
        correlation = _correlation(a, b, tried)
        better = correlation > best
        where[better], best[better] = tried[better], correlation[better]
    return where, best


def _refine(a: _Floats, b: _Floats, where: _Floats, steps: int) -> _Floats:
    """Refine the alignment ``where`` by Gauss-Newton steps.

    They minimise the squared difference, with brightness and contrast as free parameters (Lucas and Kanade's
    method, for a motion of four parameters).
    """
    n, side, _ = a.shape
    grid = np.linspace(-1, 1, side, dtype=np.float32)
    for _ in range(steps):
        warped, inside = _warp(b, where)
        # Gradients by position in the second photo: `side - 1` pixels have a range of 2.
        along_x = np.gradient(warped, axis=2) * ((side - 1) / 2) / where[:, 0, None, None]
        along_y = np.gradient(warped, axis=1) * ((side - 1) / 2) / where[:, 2, None, None]
        columns = [along_x * grid, along_x, along_y * grid[:, None], along_y, warped, np.ones_like(warped)]
        design = (np.stack(columns, axis=1) * inside[:, None]).reshape(n, 6, -1)
        normal = (design @ design.transpose(0, 2, 1)).astype(np.float64)
        # Slight damping: a photo without detail along an axis does not move along it.
        normal += np.eye(6) * (1e-6 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-3)
        solution = np.linalg.solve(normal, (design @ a.reshape(n, -1, 1)).astype(np.float64))[..., 0]
        contrast = np.maximum(solution[:, 4:5], 0.2)
        where = (where + (solution[:, :4] / contrast).clip(-0.15, 0.15)).astype(np.float32)
        where[:, ::2] = where[:, ::2].clip(0.6, 1.6)
        where[:, 1::2] = where[:, 1::2].clip(-0.5, 0.5)
    return where


def _correlation(a: _Floats, b: _Floats, where: _Floats) -> _Floats:
    """Return the (P,) normalised correlations over the shared areas.

    A correlation is -1 if the shared area is too small.
    """
    warped, inside = _warp(b, where)
    shared = inside.mean(axis=(1, 2))
    a, warped = _centred(a, inside) * inside, _centred(warped, inside) * inside
    norms = np.sqrt((a**2).sum(axis=(1, 2)) * (warped**2).sum(axis=(1, 2)))
    return np.where(shared >= _FEWEST_SHARED, (a * warped).sum(axis=(1, 2)) / (norms + 1e-6), -1)


def _centred(image: _Floats, weights: _Floats) -> _Floats:
    """Subtract their weighted means from (P, S, S) images."""
    return image - np.average(image, axis=(1, 2), weights=weights + 1e-9)[:, None, None].astype(np.float32)


# --- comparison


def _worst_window(a: _Floats, b: _Floats, where: _Floats) -> _Floats:
    """Return the (P,) largest relative differences of a window.

    A difference is infinite if the shared area is too small.
    """
    warped, inside = _warp(b, where)
    # White pixels of either photo may be clipped: they are not used to estimate brightness and contrast.
    exposed = inside * (a < _WHITE) * (warped < _WHITE)
    exposed = np.where(exposed.mean(axis=(1, 2), keepdims=True) < 0.2, inside, exposed)
    one, two = _centred(a, exposed), _centred(warped, exposed)
    covariance = (one * two * exposed).sum(axis=(1, 2))
    variance = (two**2 * exposed).sum(axis=(1, 2))
    prior = 25 * exposed.sum(axis=(1, 2))  # keeps noise from determining the contrast of a flat photo
    rest = ((covariance + prior) / (variance + prior))[:, None, None] * two - one
    rest[(a >= _WHITE) & (rest > 0)] = 0  # a clipped pixel may have been brighter
    rest[(warped >= _WHITE) & (rest < 0)] = 0
    rest, one = rest * inside, one * inside
    squared, mean = _window_means(rest**2), _window_means(one)
    relative = squared / (_window_means(one**2) - mean**2 + _NOISE)
    worst = np.where(_window_means(inside) > 0.99, relative, 0).max(axis=(1, 2))
    return np.where(inside.mean(axis=(1, 2)) < _FEWEST_SHARED, np.inf, worst).astype(np.float32)


def _worst_colour(one: _Floats, two: _Floats, where: _Floats) -> _Floats:
    """Return the (P,) largest chroma differences of a quarter.

    In levels, from (P, 2, 16, 16) chroma.
    """
    squared = np.zeros((len(one), _COLOUR_SIDE, _COLOUR_SIDE), np.float32)
    for band in (0, 1):
        warped, inside = _warp(two[:, band], where)
        squared += inside * (warped - one[:, band]) ** 2
    return np.sqrt(_window_means(squared, 8).max(axis=(1, 2)))


def _window_means(image: _Floats, side: int = _WINDOW) -> _Floats:
    """Return the (P, W, W) means of overlapping windows.

    Windows have ``side`` pixels; each overlaps the next by half.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), axis=(1, 2))
    return windows[:, :: side // 2, :: side // 2].mean(axis=(3, 4))
