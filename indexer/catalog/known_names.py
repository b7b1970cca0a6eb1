"""Names that a library has: its folders, cameras and months.

Plain ``sqlite3`` through the reader. It reads the paths of all photos, which takes 0.3 s for 100,000, so the
caller keeps the result.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePath

from twobranch.indexer.catalog.filters import MONTH, is_pattern, literal
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.disk.names import folded

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
        statement = f"SELECT i.root_id, i.path, i.camera, {MONTH} FROM images i WHERE {_ENCODED}"
        for root, path, camera, month in reader.rows(statement, [model.id]):
            folders[root, os.fsdecode(path).rpartition("/")[0]] += 1
            cameras[camera] += 1
            months[month] += 1
    newest_first = sorted(months.items(), reverse=True)
    return KnownNames(
        _folders(folders, roots),
        _cameras({name: n for name, n in cameras.items() if name}),
        tuple(NamedPhotos(month, n, month) for month, n in newest_first),
    )


def _folders(tally: Counter[tuple[int, str]], roots: dict[int, str]) -> tuple[NamedPhotos, ...]:
    """Return the folders with photos in or below them.

    The filter takes a path below the root where that finds no other folder, else the whole path.
    """
    below: Counter[tuple[int, str]] = Counter()
    for (root, folder), n in tally.items():
        steps = accumulate(folder.split("/"), "{}/{}".format) if folder else ()
        below.update(dict.fromkeys([(root, ""), *((root, step) for step in steps)], n))
    whole = {key: PurePath(roots[key[0]], key[1]).as_posix() for key in below}
    # A filter finds every folder whose path ends with it, so one that several end with is not enough.
    above = {parent.as_posix() for path in whole.values() for parent in PurePath(path).parents}
    ends = Counter(end for path in above | set(whole.values()) for end in _endings(folded(path)))
    found = []
    for key, n in below.items():
        name = key[1] or PurePath(whole[key]).name
        value = name if ends[folded(name)] == 1 else whole[key]
        found.append(NamedPhotos(name, n, literal(value)))
    return _largest_first(found)


def _endings(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return list(accumulate(reversed(parts), lambda end, part: f"{part}/{end}"))


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
