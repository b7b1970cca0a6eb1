"""The town that a point on earth belongs to.

A town reaches as far as its people live: 8 km for a million, and four times the people reach twice as far.
Only towns in the region of the closest one count. A point belongs to the largest city that reaches it;
where no city does, to the town that reaches it with most to spare; where none does, to the town whose
edge is closest. Beyond 100 km there is none.

So the Eiffel Tower is in Paris, not in the quarter beside it, and Windsor is not in Slough. Points are
rounded to 0.005 degrees, 0.4 km at most: a library's photos are at far fewer of these points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, cos, degrees, floor, radians

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.gazetteer.towns import Towns, all_towns, directions

STEPS = 200  # points to a degree
FARTHEST_KM = 100.0
_EARTH_KM = 6371.0088  # mean radius (IUGG)
_REACH_KM = 8.0  # of a million people; Paris, London and New York end there
_CITY = 300_000  # inhabitants, from which on a town takes its neighbours in
_FEWEST = 500  # inhabitants, of a town for which no number is known
_BAND = degrees(FARTHEST_KM / _EARTH_KM)  # degrees of latitude
_BLOCK = 1_000_000  # distances in memory at a time: 8 MB each array


def cell(degrees_from_edge: float) -> int:
    """Return the number of a rounded coordinate.

    It counts from the south pole or from 180° west, where ``degrees_from_edge`` is 0.
    """
    return floor(degrees_from_edge * STEPS + 0.5)


def town_at(latitude: float | None, longitude: float | None) -> int:
    """Return the number of the town of a point in degrees.

    It is -1 where there is none.
    """
    if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return -1
    return _town_of_cell(cell(latitude + 90), cell(longitude + 180))


# A photo costs a microsecond where its point is known, else 0.1 ms.
@lru_cache(maxsize=200_000)
def _town_of_cell(row: int, column: int) -> int:
    return int(towns_of_cells(np.array([[row, column]]))[0])


def towns_of_cells(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (N,) the numbers of the towns of points.

    The (N, 2) points are rounded, latitude and longitude as ``cell`` counts them. It is -1 where there is
    none.
    """
    latitude = cells[:, 0] / STEPS - 90
    longitude = cells[:, 1] / STEPS - 180
    found = np.full(len(cells), -1, dtype=np.int64)
    squares = np.floor(np.stack([latitude, longitude], axis=1)).astype(np.int64)
    order = np.lexsort((squares[:, 1], squares[:, 0]))
    ends = np.flatnonzero(np.any(np.diff(squares[order], axis=0) != 0, axis=1)) + 1
    for points in np.split(order, ends) if len(cells) else ():
        south, west = squares[points[0]].tolist()
        near = _towns_around(south, west)
        step = max(1, _BLOCK // max(1, len(near.numbers)))
        for start in range(0, len(points) if len(near.numbers) else 0, step):
            some = points[start : start + step]
            found[some] = near.choose(latitude[some], longitude[some])
    return found


def distance_to_town(town: int, latitude: float, longitude: float) -> float:
    """Return the distance of a town's centre in kilometres.

    The point is in degrees.
    """
    point = directions(np.array([latitude]), np.array([longitude]))
    return float(_distances(point, all_towns().directions[town : town + 1])[0, 0])


@dataclass(frozen=True, eq=False)
class _Nearby:
    """C towns near a square of one degree, the most populous first."""

    numbers: NDArray[np.int64]  # (C,)
    directions: NDArray[np.float64]  # (C, 3)
    regions: NDArray[np.uint16]  # (C,)
    reach: NDArray[np.float64]  # (C,) km
    n_cities: int  # the first ones

    @classmethod
    def of(cls, towns: Towns, numbers: NDArray[np.int64]) -> _Nearby:
        numbers = numbers[np.argsort(-towns.population[numbers].astype(np.int64), kind="stable")]
        people = np.maximum(towns.population[numbers], _FEWEST)
        reach = _REACH_KM * np.sqrt(people / 1e6)
        n_cities = int(np.count_nonzero(people >= _CITY))
        return cls(numbers, towns.directions[numbers], towns.region[numbers], reach, n_cities)

    def choose(self, latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return (P,) the numbers of the towns of P points, or -1."""
        km = _distances(directions(latitude, longitude), self.directions)
        rows = np.arange(len(km))
        closest = km.argmin(axis=1)
        is_there = km[rows, closest] <= FARTHEST_KM
        own = self.regions[closest][:, None]
        # Hong Kong is in none of its regions, and so in all of them.
        counts = (self.regions == own) | (self.regions == all_towns().wider_region[own])
        km[~counts | (km > FARTHEST_KM)] = np.inf
        part = km / self.reach
        at_edge = (km - self.reach).argmin(axis=1)
        town = np.where(part.min(axis=1) <= 1, part.argmin(axis=1), at_edge)
        if self.n_cities:
            reaches = part[:, : self.n_cities] <= 1
            town = np.where(reaches.any(axis=1), reaches.argmax(axis=1), town)
        return np.where(is_there, self.numbers[town], -1)


@lru_cache(maxsize=256)
def _towns_around(south: int, west: int) -> _Nearby:
    """Return the towns within 100 km of a square of one degree.

    And some further ones.
    """
    towns = all_towns()
    first, last = south - ceil(_BAND), south + 1 + ceil(_BAND)
    # A circle reaches furthest east a little nearer to the pole than its centre is.
    furthest = max(abs(first), abs(last))
    width = 180.0 if furthest >= 89 else min(180.0, _BAND / cos(radians(furthest)))
    bands = _bands()
    parts = [np.empty(0, dtype=np.int64)]
    for band in range(max(-90, first), min(90, last)):
        start, end = bands[band + 90 : band + 92].tolist()
        for least, most in _spans(west - width, west + 1 + width):
            at, to = np.searchsorted(towns.longitude[start:end], [least, most], side="left").tolist()
            parts.append(np.arange(start + at, start + to))
    return _Nearby.of(towns, np.concatenate(parts))


def _spans(west: float, east: float) -> list[tuple[float, float]]:
    """Return the parts of -180 to 180 degrees between two meridians.

    These may lie beyond.
    """
    if east - west >= 360:
        return [(-180.0, 181.0)]
    if west < -180:
        return [(west + 360, 181.0), (-180.0, east)]
    if east > 180:
        return [(west, 181.0), (-180.0, east - 360)]
    return [(west, east)]


@lru_cache(maxsize=1)
def _bands() -> NDArray[np.int64]:
    """Return (181,) the first town of each degree of latitude.

    From the south; the last one is the number of towns.
    """
    return np.searchsorted(np.floor(all_towns().latitude), np.arange(-90, 91)).astype(np.int64)


def _distances(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (P, C) distances in kilometres.

    They are through the earth: at 100 km one metre too short.
    """
    return _EARTH_KM * np.sqrt(np.maximum(0.0, 2.0 - 2.0 * (points @ others.T)))
