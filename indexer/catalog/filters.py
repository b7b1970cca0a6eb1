"""Filters by date, place, path, camera, format, marks and more, in SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from math import asin, cos, degrees, radians, sin, sqrt
from typing import Literal, get_args

from twobranch.indexer.catalog.fulltext import quoted
from twobranch.indexer.disk.names import folded, path_key
from twobranch.indexer.gazetteer.place_names import box_around, is_at

DateFrom = Literal["photo", "file"]
Shape = Literal["portrait", "landscape", "square"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
MOST_STARS = 5  # of a rating
_EARTH_KM = 6371.0088  # mean radius (IUGG)
_ALSO: dict[str, tuple[str, ...]] = {
    "jpg": ("jpg", "jpeg"),
    "jpeg": ("jpg", "jpeg"),
    "tif": ("tif", "tiff"),
    "tiff": ("tif", "tiff"),
    "heic": ("heic", "heif"),
}
# Whole seconds, rounded down before 1970 too, where SQLite's division would round up.
_SECONDS = "i.mtime_ns / 1000000000 - (i.mtime_ns % 1000000000 < 0)"
# The date of a photo by the camera's clock; without one, the date of the file by this computer's clock. Both
# are local times without a zone.
DATE = f"COALESCE(i.taken_at, strftime('%Y-%m-%d %H:%M:%S', {_SECONDS}, 'unixepoch', 'localtime'))"
MONTH = f"COALESCE(substr(i.taken_at, 1, 7), strftime('%Y-%m', {_SECONDS}, 'unixepoch', 'localtime'))"
# Sides that differ by less than 2% count as equal. NULL for a photo that could not be read.
SHAPE = (
    "CASE WHEN i.height > i.width * 1.02 THEN 'portrait' WHEN i.width > i.height * 1.02 THEN 'landscape' "
    "WHEN i.width > 0 THEN 'square' END"
)


def photo_date(taken_at: datetime | None, mtime_ns: int) -> datetime:
    """Return the date of a photo, as ``DATE`` does in SQL."""
    return taken_at or datetime.fromtimestamp(mtime_ns // 1_000_000_000)


@dataclass(frozen=True)
class Place:
    """A point on earth in degrees, and how far around it."""

    latitude: float
    longitude: float
    km: float


@dataclass(frozen=True)
class NamedDates:
    """Dates that the words of a query name.

    A photo passes by its date, or by its names, keywords and captions: an album "norway 2021" may hold scans
    without a date. With ``yearly``, such as ("12-01", "03-01"), only the days from the first until before the
    second pass, of each year; they may go beyond the end of the year.
    """

    words: str  # as typed
    after: datetime | None = None
    before: datetime | None = None
    yearly: tuple[str, str] | None = None
    texts: tuple[tuple[str, ...], ...] = ()  # one word of each in a photo's texts lets it pass as well

    def condition(self) -> tuple[str, list[str]]:
        """An SQL condition on ``images i``, with its parameters."""
        parts: list[str] = []
        values: list[str] = []
        for sign, moment in ((">=", self.after), ("<", self.before)):
            if moment is not None:
                parts.append(f"{DATE} {sign} ?")
                values.append(_sql(moment))
        if self.yearly is not None:
            first, end = self.yearly
            day = f"substr({DATE}, 6, 5)"
            parts.append(f"({day} >= ? {'AND' if first < end else 'OR'} {day} < ?)")
            values += (first, end)
        condition = " AND ".join(parts) or "1"
        if self.texts:
            words = " AND ".join(f"({' OR '.join(map(quoted, either))})" for either in self.texts)
            condition += " OR i.id IN (SELECT rowid FROM words WHERE words MATCH ?)"
            values.append(words)
        return f"({condition})", values


@dataclass(frozen=True)
class Filters:
    """The conditions that a photo must meet; an empty one allows all.

    Of several patterns of one kind, one must match.
    """

    after: datetime | None = None  # this moment or later
    before: datetime | None = None  # earlier than this
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    near: Place | None = None
    places: tuple[str, ...] = ()  # such as "Paris, France": see find_towns
    shape: Shape | None = None
    min_pixels: int = 0
    formats: tuple[str, ...] = ()  # such as "png"
    dates: NamedDates | None = None
    albums: tuple[str, ...] = ()  # names
    ratings: tuple[int, int] | None = None  # the least and the most; (0, 0): unrated
    favourite: bool | None = None
    day: str | None = None  # such as "11-28", of any year

    def __bool__(self) -> bool:
        """Return True if any filter is set."""
        return any(getattr(self, field.name) != field.default for field in fields(self))

    def condition(self) -> tuple[str, list[str | int | float]]:
        """An SQL condition on ``images i JOIN roots r``, with its parameters. It calls ``FUNCTIONS``."""
        parts: list[str] = ["1"]
        values: list[str | int | float] = []

        def add(part: str, *its: str | int | float) -> None:
            parts.append(part)
            values.extend(its)

        if self.after is not None:
            add(f"{DATE} >= ?", _sql(self.after))
        if self.before is not None:
            add(f"{DATE} < ?", _sql(self.before))
        if self.day is not None:
            add(f"substr({DATE}, 6, 5) = ?", self.day)
        if self.paths:
            add(*_any_path(self.paths))
        if self.not_paths:
            condition, *globs = _any_path(self.not_paths)
            add(f"NOT {condition}", *globs)
        if self.cameras:
            names = [name if is_pattern(name) else f"*{name}*" for name in self.cameras]
            add(*_any_glob("{}(i.camera)", names))
        if self.shape is not None:
            add(f"{SHAPE} = ?", self.shape)
        if self.min_pixels:
            add("i.width * i.height >= ?", self.min_pixels)
        if self.formats:
            names = [name.lower().lstrip(".") for name in self.formats]
            suffixes = [suffix for name in names for suffix in _ALSO.get(name, (name,))]
            add(*_any_glob("{}(i.path)", [f"*.{suffix}" for suffix in suffixes]))
        if self.dates is not None:
            condition, words = self.dates.condition()
            add(condition, *words)
        for condition, values_of_it in (*self._of_places(), *self._of_marks()):
            add(condition, *values_of_it)
        return " AND ".join(parts), values

    def _of_places(self) -> Iterator[tuple[str, tuple[str | float, ...]]]:
        """Yield the conditions of places, with their parameters."""
        if self.near is not None:
            place = self.near
            north = degrees(place.km / _EARTH_KM)  # cheaper than the distance, which is Python
            yield "i.latitude BETWEEN ? AND ?", (place.latitude - north, place.latitude + north)
            point = place.latitude, place.longitude, place.km
            yield "distance_km(i.latitude, i.longitude, ?, ?) <= ?", point
        if self.places:
            one = (
                "i.latitude BETWEEN ? AND ? AND i.longitude BETWEEN ? AND ? "
                "AND is_at(i.latitude, i.longitude, ?)"
            )
            # The boxes are cheaper than the places, which are Python.
            values = tuple(value for name in self.places for value in (*box_around(name), name))
            yield f"({' OR '.join([one] * len(self.places))})", values

    def _of_marks(self) -> Iterator[tuple[str, tuple[str | int, ...]]]:
        """Yield the conditions of albums, ratings and favourites, with their parameters."""
        if self.albums:
            places = ", ".join("?" * len(self.albums))
            yield (
                "i.content_hash IN (SELECT p.content_hash FROM album_photos p JOIN albums a "
                f"ON a.id = p.album_id WHERE folded(a.name) IN ({places}))",
                tuple(map(folded, self.albums)),
            )
        if self.ratings is not None:
            least, most = self.ratings
            yield _is_marked("COALESCE(m.rating, 0) BETWEEN ? AND ?", or_bare=least == 0), (least, most)
        if self.favourite is not None:
            wanted = "m.favourite" if self.favourite else "NOT m.favourite"
            yield _is_marked(wanted, or_bare=not self.favourite), ()


def _is_marked(condition: str, *, or_bare: bool) -> str:
    """Return a condition for photos whose marks meet another condition.

    ``or_bare`` includes photos without marks.
    """
    own = "SELECT 1 FROM marks m WHERE m.content_hash = i.content_hash"
    marked = f"EXISTS ({own} AND {condition})"
    return f"({marked} OR NOT EXISTS ({own}))" if or_bare else marked


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the great-circle distance of two points, in kilometres.

    The points are given in degrees (haversine formula).
    """
    a, b = radians(latitude), radians(other_latitude)
    half = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(half)))


def _any_path(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return a condition that matches paths with globs, and its parameters.

    A glob may begin at any folder. A folder's name stands for all photos in it. ``*`` matches across folders,
    as ``**`` does. Case does not matter.
    """
    globs: list[str] = []
    for pattern in patterns:
        name = pattern.replace("**", "*").rstrip("/")
        anywhere = name if name.startswith("/") else f"*/{name}"
        globs.append(f"{anywhere}/*")
    # A slash at the end of the path lets one glob match a file of that name and files in such a folder.
    return _any_glob("rtrim({0}(r.path), '/') || '/' || {0}(i.path) || '/'", globs)


def _any_glob(what: str, globs: Sequence[str]) -> tuple[str, ...]:
    """Return a condition that matches a column with globs, and its parameters.

    ``{}`` in ``what`` stands for the function that removes the case. SQLite's own ``lower`` knows A to Z
    alone. ``folded`` is Python and takes five times as long: it is used where the globs have other letters,
    or signs that stand for one letter and so for a composed one.
    """
    simple = all(glob.isascii() and not set("?[") & set(glob) for glob in globs)
    condition = f"{what.format('lower' if simple else 'folded')} GLOB ?"
    written = [folded(glob).replace("[!", "[^") for glob in globs]
    return (f"({' OR '.join([condition] * len(globs))})", *written)


def literal(name: str) -> str:
    """A pattern that this name alone matches."""
    return re.sub(r"[*?[]", r"[\g<0>]", name)


def is_pattern(pattern: str) -> bool:
    """Return True for a pattern with wildcards."""
    return any(sign in pattern for sign in "*?[")


def _sql(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds")  # strftime would write the year 999 with three digits


FUNCTIONS: dict[str, tuple[int, Callable[..., float | str | bytes]]] = {
    "distance_km": (4, distance_km),
    "folded": (1, folded),
    "is_at": (3, is_at),
    "path_key": (2, path_key),
}
