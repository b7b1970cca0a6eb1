"""Numbers of photos at the towns and countries of many points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from twobranch.indexer.gazetteer.nearest import towns_of_cells
from twobranch.indexer.gazetteer.place_names import find_towns, town_label
from twobranch.indexer.gazetteer.towns import all_towns

_MOST = 100  # towns; more would not be read


def count_places(points: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Count the photos of towns and of countries.

    Of the towns, the most photographed ones. ``points`` are photos at each point: two numbers of
    ``nearest.cell`` with a space between. A count is that of the filter ``place`` with the same text.
    """
    if not points:
        return {}, {}
    cells = np.array([point.split() for point in points], dtype=np.int64)
    photos: Counter[int] = Counter()
    for town, n in zip(towns_of_cells(cells).tolist(), points.values(), strict=True):
        if town >= 0:
            photos[town] += n
    towns = all_towns()
    labels: Counter[str] = Counter()
    for town, n in photos.items():
        labels[town_label(town)] += n
    most = [label for label, _ in labels.most_common(_MOST)]
    return _as_found(most, photos), _as_found({towns.country_name(town) for town in photos}, photos)


def _as_found(texts: Iterable[str], photos: Mapping[int, int]) -> dict[str, int]:
    """Count the photos at the places that each text names.

    "Luxembourg" is a town and a country.
    """
    return {text: sum(photos.get(town, 0) for town in find_towns(text).tolist()) for text in texts}
