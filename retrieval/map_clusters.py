"""Photos on a map, those that would overlap as one point.

The map is that of web maps (Mercator), 256 pixels wide at zoom 0 and twice that with each zoom. Photos in a
square of 64 pixels are one point, and of two points that are closer than 48 pixels the one with fewer photos
joins the other. The photos are sorted once so that those of a square, at any zoom, are in a row (Z-order):
the points of a million photos take 50 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.filters import distance_km

MOST_ZOOM = 18
MOST = 2000  # points of an answer
_FINEST = MOST_ZOOM + 2  # the sides of the squares at the highest zoom are 2**-20 of the map
TILE = 256  # pixels, of the map at zoom 0
_HALF = 180.0  # degrees, of the way around the earth
_CLOSE = 48  # pixels; two pictures of 56 would hide one another
_KM_A_DEGREE = 111.2  # of latitude
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

    def contain(self, latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return (N,) True for the (N,) points within the bounds."""
        inside = (latitude >= self.south) & (latitude <= self.north)
        width = self.east - self.west
        if abs(width) >= 360:
            return inside
        # Degrees east of the western side; a west above the east is across the antimeridian.
        return inside & ((longitude - self.west) % 360 <= width % 360)


@dataclass(frozen=True)
class MapPoint:
    """A point of the map, and its photos."""

    latitude: float  # the mean of the photos of its square
    longitude: float
    n_photos: int
    photo: int  # the id of the latest one
    km: float  # from here to all of its photos, at most


class PhotoMap:
    """All photos on a map."""

    def __init__(self, coordinates: NDArray[np.float64]) -> None:
        """Sort the photos, (N, 3) id, latitude and longitude."""
        side = 1 << _FINEST
        x, y = on_map(coordinates[:, 1], coordinates[:, 2])
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
        # Photos all over the world are shown as on any map.
        if turned.max() - turned.min() < min(east - west, _HALF):
            west, east = float(turned.min()), float(turned.max())
        return Bounds(south, west, north, east)

    def points(self, zoom: int, bounds: Bounds | None = None) -> list[MapPoint]:
        """Return the points within the bounds.

        The squares are made larger until there are at most ``MOST``.
        """
        inside = (
            np.arange(len(self))
            if bounds is None
            else np.flatnonzero(bounds.contain(self._latitude, self._longitude))
        )
        if not len(inside):
            return []
        starts = self._starts(inside, min(zoom, MOST_ZOOM))
        while len(starts) > MOST:
            zoom -= 1
            starts = self._starts(inside, zoom)
        counts = np.diff(np.append(starts, len(inside)))
        south, north, latitude = _spread_of(self._latitude[inside], starts, counts)
        west, east, longitude = _spread_of(self._longitude[inside], starts, counts)
        photos = np.maximum.reduceat(self._photos[inside], starts)
        km = _KM_A_DEGREE * np.hypot(north - south, (east - west) * np.cos(np.radians(latitude))) / 2
        columns = (latitude, longitude, counts, photos, km)
        points = [MapPoint(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        return _joined(points, *on_map(latitude, longitude), _CLOSE / (TILE * 2.0**zoom))

    def _starts(self, inside: NDArray[np.int64], zoom: int) -> NDArray[np.int64]:
        """Return the first photo of each square."""
        squares = self._keys[inside] >> np.uint64(2 * (MOST_ZOOM - zoom))
        return np.concatenate([[0], np.flatnonzero(squares[1:] != squares[:-1]) + 1])


def on_map(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (N,) x and (N,) y of points on the map.

    From 0 to 1, eastwards and southwards.
    """
    north = np.radians(np.clip(latitude, -_END, _END))
    return (longitude + 180) / 360, 0.5 - np.log(np.tan(np.pi / 4 + north / 2)) / (2 * np.pi)


def _joined(
    points: Sequence[MapPoint], x: NDArray[np.float64], y: NDArray[np.float64], side: float
) -> list[MapPoint]:
    """Join points to close ones that have more photos.

    Returns those that are left. They are at (P,) ``x`` and ``y`` of the map. Close is less than ``side``
    of the map, either way.
    """
    left = np.ones(len(points), dtype=bool)
    joined = []
    for at in sorted(range(len(points)), key=lambda at: -points[at].n_photos):
        if not left[at]:
            continue
        across = np.abs(x - x[at])
        is_close = (np.minimum(across, 1 - across) < side) & (np.abs(y - y[at]) < side)
        close = np.flatnonzero(left & is_close).tolist()
        left[close] = False
        joined.append(_sum(points[at], [points[one] for one in close]))
    return joined


def _sum(point: MapPoint, close: Sequence[MapPoint]) -> MapPoint:
    """Return a point with the photos of all close ones.

    It is among them.
    """
    here = point.latitude, point.longitude
    return replace(
        point,
        n_photos=sum(one.n_photos for one in close),
        photo=max(one.photo for one in close),
        km=max(distance_km(*here, one.latitude, one.longitude) + one.km for one in close),
    )


def _spread_of(
    degrees: NDArray[np.float64], starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the least, the greatest and the mean of each point."""
    mean = np.add.reduceat(degrees, starts) / counts
    return np.minimum.reduceat(degrees, starts), np.maximum.reduceat(degrees, starts), mean


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
