"""The gazetteer: 155,000 towns of GeoNames with their regions and countries.

``benchmarks/gazetteer.py`` writes the file. It is read at the first use: 60 ms and 20 MB.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parent / "data" / "towns.npz"
SCALE = 10_000  # steps of a degree in the file, of 11 m
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# Letters that Unicode does not take apart.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})


@dataclass(frozen=True, eq=False)
class Towns:
    """T towns in bands of one degree of latitude.

    The bands go from south to north, the towns in each from west to east.
    """

    latitude: NDArray[np.float64]  # (T,) degrees
    longitude: NDArray[np.float64]  # (T,) degrees
    population: NDArray[np.uint32]  # (T,) inhabitants; 0 where unknown
    region: NDArray[np.uint16]  # (T,) the number of its region
    needs_region: NDArray[np.bool_]  # (T,) True where the country has a town of this name in another region
    names: tuple[str, ...]  # of the T towns
    regions: tuple[tuple[str, str], ...]  # by number: code of the country, and name, which may be empty
    countries: dict[str, tuple[str, ...]]  # by code: name, then folded other names
    other_names: tuple[str, ...]  # lines of a town's number and its folded other names, with tabs between

    @cached_property
    def folded_names(self) -> tuple[str, ...]:
        """The names of the T towns as they are compared: 100 ms."""
        return tuple(_folded("\n".join(self.names)).split("\n"))

    @cached_property
    def directions(self) -> NDArray[np.float64]:
        """(T, 3) unit vectors from the earth's centre."""
        return directions(self.latitude, self.longitude)

    @cached_property
    def wider_region(self) -> NDArray[np.uint16]:
        """(R,) numbers of the nameless regions of the same countries.

        A region's own number where there is none.
        """
        nameless = {country: at for at, (country, name) in enumerate(self.regions) if not name}
        return np.array(
            [nameless.get(country, at) for at, (country, _) in enumerate(self.regions)], np.uint16
        )

    def country_name(self, town: int) -> str:
        return self.countries[self.regions[self.region[town]][0]][0]

    def region_name(self, town: int) -> str | None:
        return self.regions[self.region[town]][1] or None


def directions(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 3) unit vectors from the earth's centre.

    They lead to the points, in degrees.
    """
    north, east = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)


def folded_name(name: str) -> str:
    """Return a name as it is compared.

    Without case, accents and doubled spaces.
    """
    return " ".join(_folded(name).split())


def _folded(text: str) -> str:
    return _NOT_ASCII.sub(lambda match: _ascii(match[0]), text.casefold())


@cache
def _ascii(letters: str) -> str:
    """Return letters without their accents."""
    parts = unicodedata.normalize("NFKD", letters.translate(_LETTERS))
    return "".join(part for part in parts if not unicodedata.combining(part))


@cache
def all_towns() -> Towns:
    """Load the towns once."""
    with np.load(DATA, allow_pickle=False) as file:
        n = len(file["region"])
        lines = [line.split("\t") for line in _lines(file["countries"])]
        return Towns(
            latitude=file["latitude"] / SCALE,
            longitude=file["longitude"] / SCALE,
            population=file["population"],
            region=file["region"],
            needs_region=np.unpackbits(file["needs_region"], count=n).astype(bool),
            names=tuple(_lines(file["names"])),
            regions=tuple(_pairs(_lines(file["regions"]))),
            countries={code: tuple(names) for code, *names in lines},
            other_names=tuple(_lines(file["other_names"])),
        )


def _lines(text: NDArray[np.uint8]) -> list[str]:
    return text.tobytes().decode().split("\n")


def _pairs(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        country, name = line.split("\t")
        yield country, name
