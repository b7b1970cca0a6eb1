"""Names of towns on a map, the largest ones that have room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twobranch.indexer.gazetteer.towns import all_towns
from twobranch.retrieval.map_clusters import TILE, Bounds, on_map

LEAST_ZOOM = 4  # below, borders say where one is
_MOST = 30  # names
_CANDIDATES = 300  # the largest towns in the bounds
_WIDE, _HIGH = 110, 40  # pixels that a name takes


@dataclass(frozen=True)
class MapTown:
    """A town to be named on a map."""

    latitude: float
    longitude: float
    name: str


def towns_on_map(zoom: int, bounds: Bounds | None) -> list[MapTown]:
    """Return towns to be named, the most populous first.

    None overlaps another one. There are none for the whole earth.
    """
    if bounds is None or zoom < LEAST_ZOOM:
        return []
    towns = all_towns()
    inside = np.flatnonzero(bounds.contain(towns.latitude, towns.longitude))
    inside = inside[np.argsort(-towns.population[inside].astype(np.int64), kind="stable")][:_CANDIDATES]
    side = TILE << zoom
    x, y = (part * side for part in on_map(towns.latitude[inside], towns.longitude[inside]))
    chosen: list[int] = []
    for at in range(len(inside)):
        across = np.abs(x[chosen] - x[at])
        if not np.any((np.minimum(across, side - across) < _WIDE) & (np.abs(y[chosen] - y[at]) < _HIGH)):
            chosen.append(at)
        if len(chosen) == _MOST:
            break
    return [
        MapTown(float(towns.latitude[town]), float(towns.longitude[town]), towns.names[town])
        for town in inside[chosen].tolist()
    ]
