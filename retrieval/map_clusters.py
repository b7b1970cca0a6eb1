"""Photos on a map, those that would overlap as one point.

The map is that of web maps (Mercator), 256 pixels wide at zoom 0 and twice that with each zoom. Photos in a
square of 64 pixels are one point. The photos are sorted once so that those of a square, at any zoom, are in a
row (Z-order): the points of a million photos take 50 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MOST_ZOOM = 18
MOST = 2000  # points of an answer
_FINEST = MOST_ZOOM + 2  # the sides of the squares at the highest zoom are 2**-20 of the map
_END = 85.0511  # degrees north and south, where the map ends


@dataclass(frozen=True)
class Bounds:
    """A part of the map in degrees.

    Across the antimeridian its west is above its east, or one of them beyond 180.
    """

    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True)
class MapPoint:
    """A point of the map, and its photos."""

    latitude: float  # the mean of its photos
    longitude: float
    n_photos: int
    photo: int  # the id of the latest one


class PhotoMap:
    """All photos on a map."""

    def __init__(self, coordinates: NDArray[np.float64]) -> None:
        """Sort the photos, (N, 3) id, latitude and longitude."""
        x = (coordinates[:, 2] + 180) / 360
        north = np.radians(np.clip(coordinates[:, 1], -_END, _END))
        y = 0.5 - np.log(np.tan(np.pi / 4 + north / 2)) / (2 * np.pi)
        side = 1 << _FINEST
        squares = [np.clip(part * side, 0, side - 1).astype(np.uint64) for part in (x, y)]
        keys = _spread(squares[0]) | (_spread(squares[1]) << np.uint64(1))
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._photos = coordinates[order, 0].astype(np.int64)
        self._latitude = coordinates[order, 1]
        self._longitude = coordinates[order, 2]

    def __len__(self) -> int:
        return len(self._photos)

    @cached_property
    def bounds(self) -> Bounds | None:
        """The smallest part of the map with all photos; None without any."""
        if not len(self):
            return None
        south, north = float(self._latitude.min()), float(self._latitude.max())
        west, east = float(self._longitude.min()), float(self._longitude.max())
        turned = self._longitude % 360  # from 0 to 360: in one piece at the antimeridian
        if turned.max() - turned.min() < east - west:
            west, east = float(turned.min()), float(turned.max())
        return Bounds(south, west, north, east)

    def points(self, zoom: int, bounds: Bounds | None = None) -> list[MapPoint]:
        """Return the points within the bounds.

        The squares are made larger until there are at most ``MOST``.
        """
        inside = np.arange(len(self)) if bounds is None else np.flatnonzero(self._inside(bounds))
        if not len(inside):
            return []
        starts = self._starts(inside, min(zoom, MOST_ZOOM))
        while len(starts) > MOST:
            zoom -= 1
            starts = self._starts(inside, zoom)
        counts = np.diff(np.append(starts, len(inside)))
        latitude = np.add.reduceat(self._latitude[inside], starts) / counts
        longitude = np.add.reduceat(self._longitude[inside], starts) / counts
        photos = np.maximum.reduceat(self._photos[inside], starts)
        rows = zip(latitude.tolist(), longitude.tolist(), counts.tolist(), photos.tolist(), strict=True)
        return [MapPoint(*row) for row in rows]

    def _starts(self, inside: NDArray[np.int64], zoom: int) -> NDArray[np.int64]:
        """Return the first photo of each square."""
        squares = self._keys[inside] >> np.uint64(2 * (MOST_ZOOM - zoom))
        return np.concatenate([[0], np.flatnonzero(squares[1:] != squares[:-1]) + 1])

    def _inside(self, bounds: Bounds) -> NDArray[np.bool_]:
        """Return (N,) True for photos within the bounds."""
        inside = (self._latitude >= bounds.south) & (self._latitude <= bounds.north)
        width = bounds.east - bounds.west
        if abs(width) >= 360:
            return inside
        # Degrees east of the western side; a west above the east is across the antimeridian.
        return inside & ((self._longitude - bounds.west) % 360 <= width % 360)


def _spread(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers below 2**20 with a zero after each bit (Morton's order)."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        numbers = (numbers | (numbers << np.uint64(shift))) & np.uint64(mask)
    return numbers
