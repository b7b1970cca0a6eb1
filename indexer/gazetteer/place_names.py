"""Places as people write them: ``Paris``, ``Paris, France``, ``France``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import cos, radians

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.indexer.gazetteer.nearest import FARTHEST_KM, distance_to_town, town_at
from twobranch.indexer.gazetteer.towns import all_towns, folded_name

_MOST_SHOWN = 3  # names in a message
_SHOWN = 80  # characters of a mistyped name in it
_WELL_KNOWN = 15_000  # inhabitants: a mistyped name is compared with those of such towns
_SIMILAR = 0.75  # of difflib
_KM_A_DEGREE = 111.0  # of latitude; a little less than it is, so that a box is too large


@dataclass(frozen=True)
class NamedPlace:
    """The town that a photo was taken in or near."""

    name: str
    region: str | None
    country: str
    km: float  # from its centre

    def as_json(self) -> dict[str, str | float | None]:
        return {"name": self.name, "region": self.region, "country": self.country, "km": self.km}


def named_place(latitude: float | None, longitude: float | None) -> NamedPlace | None:
    """Return the place of a point in degrees.

    None without a point, and far from all towns.
    """
    town = town_at(latitude, longitude)
    if town < 0 or latitude is None or longitude is None:
        return None
    towns = all_towns()
    km = round(distance_to_town(town, latitude, longitude), 1)
    return NamedPlace(towns.names[town], towns.region_name(town), towns.country_name(town), km)


def place_label(latitude: float | None, longitude: float | None) -> str | None:
    """Return the place of a point as text, such as ``Paris, France``."""
    town = town_at(latitude, longitude)
    return None if town < 0 else town_label(town)


def town_label(town: int) -> str:
    """Return a town's name and country, such as ``Paris, France``.

    The region is between them where the country has several towns of that name. The filter ``place``
    finds by it the photos of this town.
    """
    towns = all_towns()
    region = towns.region_name(town) if towns.needs_region[town] else None
    return ", ".join(dict.fromkeys(filter(None, (towns.names[town], region, towns.country_name(town)))))


def find_towns(text: str) -> NDArray[np.int64]:
    """Return (n,) the numbers of the towns that a text names, rising.

    Its first part is the name of a town, region or country, any further one that of its region or country.
    Raises ``UserError`` for a name that is not known.
    """
    towns = _found(text)
    if not len(towns):
        near = _similar(text)
        hint = f"did you mean {' or '.join(near)}?" if near else "write it as in Paris or Paris, France"
        shown = repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"
        raise UserError(f"{shown}: no place of this name is known; {hint}")
    return towns


def find_largest_town(text: str) -> tuple[float, float]:
    """Return latitude and longitude of the town that a text names.

    Of several it is the most populous. Raises ``UserError`` as ``find_towns`` does.
    """
    found, towns = find_towns(text), all_towns()
    town = found[towns.population[found].argmax()]
    return float(towns.latitude[town]), float(towns.longitude[town])


def box_around(text: str) -> tuple[float, float, float, float]:
    """Return degrees south, north, west and east of places.

    All photos that belong to the places of the text are within them. Near the antimeridian and the poles
    they go all around. Raises ``UserError`` as ``find_towns`` does.
    """
    found, towns = find_towns(text), all_towns()
    latitude, longitude = towns.latitude[found], towns.longitude[found]
    margin = FARTHEST_KM / _KM_A_DEGREE
    south, north = float(latitude.min()) - margin, float(latitude.max()) + margin
    furthest = max(abs(south), abs(north))
    wider = margin / cos(radians(furthest)) if furthest < 89 else 360.0
    west, east = float(longitude.min()) - wider, float(longitude.max()) + wider
    return (south, north, west, east) if west > -180 and east < 180 else (south, north, -180.0, 180.0)


def is_at(latitude: float | None, longitude: float | None, text: str) -> bool:
    """Return True if a point belongs to a place of the text."""
    town = town_at(latitude, longitude)
    return town >= 0 and bool(_membership(text)[town])


@lru_cache(maxsize=16)
def _membership(text: str) -> bytes:
    """Return a byte for each town, 1 for the named ones."""
    member = np.zeros(len(all_towns().names), dtype=np.uint8)
    member[_found(text)] = 1
    return member.tobytes()


@lru_cache(maxsize=256)
def _found(text: str) -> NDArray[np.int64]:
    towns, index = all_towns(), _index()
    name, *areas = (folded_name(part) for part in text.split(","))
    found = np.array(index.towns.get(name, []), dtype=np.int64)
    if name in index.regions:
        found = np.union1d(found, np.flatnonzero(np.isin(towns.region, index.regions[name])))
    for area in areas:
        found = found[np.isin(towns.region[found], index.regions.get(area, []))]
    return np.unique(found)


@dataclass(frozen=True)
class _Index:
    """Numbers by folded names."""

    towns: dict[str, list[int]]
    regions: dict[str, list[int]]  # a country's name has all of its regions


@cache
def _index() -> _Index:
    """Return the index: 0.2 s."""
    towns: defaultdict[str, list[int]] = defaultdict(list)
    regions: defaultdict[str, list[int]] = defaultdict(list)
    table = all_towns()
    for town, name in enumerate(table.folded_names):
        towns[name].append(town)
    for line in table.other_names:
        number_of_town, *names = line.split("\t")
        for name in names:
            towns[name].append(int(number_of_town))
    for number, (country, region) in enumerate(table.regions):
        first, *others = table.countries[country]
        for name in {folded_name(region), folded_name(first), *others} - {""}:
            regions[name].append(number)
    return _Index(dict(towns), dict(regions))


def _similar(text: str) -> Sequence[str]:
    """Return names that may be meant, the most similar first."""
    from difflib import get_close_matches  # 5 ms, for which every search would wait

    towns = all_towns()
    name, *_ = (folded_name(part) for part in text.split(","))
    known = {folded_name(names[0]): names[0] for names in towns.countries.values()}
    known |= {folded_name(region): region for _, region in towns.regions if region}
    for town in np.flatnonzero(towns.population >= _WELL_KNOWN).tolist():
        known[towns.folded_names[town]] = towns.names[town]
    return [known[one] for one in get_close_matches(name, known, _MOST_SHOWN, _SIMILAR)]
