"""Names that a library has: folders, cameras, months and places.

Plain ``sqlite3`` through the reader. It reads the paths of all photos, which takes 0.3 s for 100,000, so the
caller keeps the result.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

from twobranch.indexer.catalog.filters import MONTH, is_pattern, literal
from twobranch.indexer.catalog.folder_tree import folder_tree
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.disk.names import folded
from twobranch.indexer.gazetteer.nearest import COLUMNS, cell
from twobranch.indexer.gazetteer.place_counts import count_places

_MOST_CAMERAS = 100
_ENCODED = "EXISTS (SELECT 1 FROM image_vectors v WHERE v.image_id = i.id AND v.model_id = ?)"


@dataclass(frozen=True)
class NamedPhotos:
    """A name, its number of photos, and the value of their filter."""

    name: str
    photos: int
    value: str


@dataclass(frozen=True)
class KnownNames:
    """The names of a library.

    Those with the most photos come first, and the newest months.
    """

    folders: tuple[NamedPhotos, ...] = ()  # value: of the filter `path`, for this folder alone
    cameras: tuple[NamedPhotos, ...] = ()
    months: tuple[NamedPhotos, ...] = ()  # such as "2023-06"
    places: tuple[NamedPhotos, ...] = ()  # towns and countries, such as "Paris, France"


def known_names(reader: CatalogReader) -> KnownNames:
    """Read the names of the photos of the active model. Raises ``LibraryError``."""
    with reader.snapshot():
        model = reader.active_model()
        if model is None:
            return KnownNames()
        roots = {id_: os.fsdecode(path) for id_, path in reader.rows("SELECT id, path FROM roots")}
        folders: Counter[tuple[int, str]] = Counter()
        cameras: Counter[str | None] = Counter()
        months: Counter[str] = Counter()
        points: Counter[tuple[float | None, float | None]] = Counter()
        columns = f"i.root_id, i.path, i.camera, {MONTH}, i.latitude, i.longitude"
        statement = f"SELECT {columns} FROM images i WHERE {_ENCODED}"
        for root, path, camera, month, *point in reader.rows(statement, [model.id]):
            folders[root, os.fsdecode(path).rpartition("/")[0]] += 1
            cameras[camera] += 1
            months[month] += 1
            points[point[0], point[1]] += 1
    newest_first = sorted(months.items(), reverse=True)
    return KnownNames(
        _folders(folders, roots),
        _cameras({name: n for name, n in cameras.items() if name}),
        tuple(NamedPhotos(month, n, month) for month, n in newest_first),
        _places(points),
    )


def _folders(tally: Counter[tuple[int, str]], roots: dict[int, str]) -> tuple[NamedPhotos, ...]:
    """Return the folders with photos in or below them."""
    return _largest_first(
        [
            NamedPhotos(folder.below or folder.name, folder.photos, folder.value)
            for folder in folder_tree(tally, roots)
        ]
    )


def _places(points: Counter[tuple[float | None, float | None]]) -> tuple[NamedPhotos, ...]:
    """Return the towns and countries of points in degrees."""
    cells: Counter[str] = Counter()
    for (latitude, longitude), n in points.items():
        if latitude is not None and longitude is not None:
            cells[str(cell(latitude + 90) * COLUMNS + cell(longitude + 180))] += n
    towns, countries = count_places(cells)
    return _largest_first([NamedPhotos(name, n, name) for name, n in (towns | countries).items()])


def _cameras(tally: dict[str, int]) -> tuple[NamedPhotos, ...]:
    """Return the cameras. As in the filter, a name stands for all names that it is part of."""
    found = []
    for name in sorted(tally, key=lambda name: -tally[name])[:_MOST_CAMERAS]:
        value, key = literal(name), folded(name)
        others = [name] if is_pattern(value) else [other for other in tally if key in folded(other)]
        found.append(NamedPhotos(name, sum(tally[other] for other in others), value))
    return _largest_first(found)


def _largest_first(found: list[NamedPhotos]) -> tuple[NamedPhotos, ...]:
    return tuple(sorted(found, key=lambda one: (-one.photos, one.name)))
