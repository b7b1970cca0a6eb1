"""Which photos may be found: by date, place, path, camera, shape, size and format, as one SQL condition."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from math import asin, cos, degrees, radians, sin, sqrt
from typing import Literal, get_args

Shape = Literal["portrait", "landscape", "square"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
_EARTH_KM = 6371.0088  # mean radius (IUGG)
_ALSO: dict[str, tuple[str, ...]] = {
    "jpg": ("jpg", "jpeg"),
    "jpeg": ("jpg", "jpeg"),
    "tif": ("tif", "tiff"),
    "tiff": ("tif", "tiff"),
    "heic": ("heic", "heif"),
}
# When a photo was taken, by its camera's clock; where the camera did not say, when its file was written.
DATE = (
    "COALESCE(i.taken_at, strftime('%Y-%m-%d %H:%M:%S', i.mtime_ns / 1000000000, 'unixepoch', 'localtime'))"
)
MONTH = (
    "COALESCE(substr(i.taken_at, 1, 7), strftime('%Y-%m', i.mtime_ns / 1000000000, 'unixepoch', 'localtime'))"
)
# Sides that differ by less than 2% count as equal; of a photo that could not be read, NULL.
SHAPE = (
    "CASE WHEN i.height > i.width * 1.02 THEN 'portrait' WHEN i.width > i.height * 1.02 THEN 'landscape' "
    "WHEN i.width > 0 THEN 'square' END"
)
_CLASS = re.compile(r"(\[\^?\]?[^\]]*\])")  # of a glob


@dataclass(frozen=True)
class Place:
    """A point on earth in degrees, and how far around it."""

    latitude: float
    longitude: float
    km: float


@dataclass(frozen=True)
class Filters:
    """What a photo must be; what is empty allows all. Of several patterns of one kind one is enough."""

    after: datetime | None = None  # this moment or later
    before: datetime | None = None  # earlier than this
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    near: Place | None = None
    shape: Shape | None = None
    min_pixels: int = 0
    formats: tuple[str, ...] = ()  # such as "png"

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return any(getattr(self, field.name) != field.default for field in fields(self))

    def condition(self) -> tuple[str, list[str | int | float]]:
        """An SQL condition on ``images i JOIN roots r``, with its parameters. It calls ``distance_km``."""
        parts: list[str] = ["1"]
        values: list[str | int | float] = []

        def add(part: str, *its: str | int | float) -> None:
            parts.append(part)
            values.extend(its)

        if self.after is not None:
            add(f"{DATE} >= ?", _sql(self.after))
        if self.before is not None:
            add(f"{DATE} < ?", _sql(self.before))
        if self.paths:
            add(*_any_path(self.paths))
        if self.not_paths:
            condition, *globs = _any_path(self.not_paths)
            add(f"NOT {condition}", *globs)
        if self.cameras:
            globs = [_glob(name if is_pattern(name) else f"*{name}*") for name in self.cameras]
            add(f"({' OR '.join(['lower(i.camera) GLOB ?'] * len(globs))})", *globs)
        if self.near is not None:
            place = self.near
            north = degrees(place.km / _EARTH_KM)  # cheaper than the distance, which is Python
            add("i.latitude BETWEEN ? AND ?", place.latitude - north, place.latitude + north)
            add("distance_km(i.latitude, i.longitude, ?, ?) <= ?", place.latitude, place.longitude, place.km)
        if self.shape is not None:
            add(f"{SHAPE} = ?", self.shape)
        if self.min_pixels:
            add("i.width * i.height >= ?", self.min_pixels)
        if self.formats:
            names = [name.lower().lstrip(".") for name in self.formats]
            suffixes = [suffix for name in names for suffix in _ALSO.get(name, (name,))]
            globs = [_glob(f"*.{suffix}") for suffix in suffixes]
            add(f"({' OR '.join(['lower(i.path) GLOB ?'] * len(globs))})", *globs)
        return " AND ".join(parts), values


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """The great-circle distance of two points given in degrees (haversine formula), in kilometres."""
    a, b = radians(latitude), radians(other_latitude)
    half = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(half)))


def _any_path(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """A condition that the path matches one of these globs, and its parameters.

    A glob may begin at any folder, and a folder's name stands for all that is in it; ``*`` goes across
    folders, as ``**`` does. Letters match whatever their case.
    """
    globs: list[str] = []
    for pattern in patterns:
        name = pattern.replace("**", "*").rstrip("/")
        anywhere = name if name.startswith("/") else f"*/{name}"
        globs.append(_glob(f"{anywhere}/*"))
    # With a slash behind it, what is in a folder of that name and a file of that name look the same.
    whole = "lower(rtrim(r.path, '/') || '/' || i.path || '/') GLOB ?"
    return (f"({' OR '.join([whole] * len(globs))})", *globs)


def literal(name: str) -> str:
    """A pattern that this name alone matches."""
    return re.sub(r"[*?[]", r"[\g<0>]", name)


def _glob(pattern: str) -> str:
    """As SQLite writes it, for what its ``lower`` gives: that knows the letters of ASCII alone, so of others
    both cases match."""
    pattern = re.sub("[\ud800-\udfff]", "?", pattern)  # what is not UTF-8 SQLite takes for a letter
    parts = _CLASS.split(pattern.replace("[!", "[^"))
    parts[::2] = ["".join(map(_either_case, part)) for part in parts[::2]]
    return re.sub("[A-Z]+", lambda match: match[0].lower(), "".join(parts))


def _either_case(letter: str) -> str:
    cases = [case for case in dict.fromkeys((letter.lower(), letter.upper(), letter)) if len(case) == 1]
    return letter if letter.isascii() or len(cases) == 1 else f"[{''.join(cases)}]"


def is_pattern(pattern: str) -> bool:
    """Whether it stands for more than itself."""
    return any(sign in pattern for sign in "*?[")


def _sql(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {"distance_km": (4, distance_km)}
