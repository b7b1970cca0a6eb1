"""The syntax of filters: ``2023-06``, ``48.85,2.35``, ``20km``, ``2MP``, ``4+``."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import MOST_STARS, SHAPES, Filters, Place
from twobranch.indexer.gazetteer.place_names import find_largest_town, find_towns

_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2}):(\d\d))?)?)?")
_DAY = re.compile(r"(\d{1,2})-(\d{1,2})")
_LEAP_YEAR = 2000  # has a 29th of February
_DISTANCE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>km|m|mi)?", re.IGNORECASE)
_KM = {"km": 1.0, "m": 0.001, "mi": 1.609344}
_MEGAPIXELS = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>mp)?", re.IGNORECASE)
_SIDES = re.compile(r"(?P<width>\d+)\s*[x×]\s*(?P<height>\d+)", re.IGNORECASE)
_RATING = re.compile(rf"(?P<stars>[0-{MOST_STARS}])(?P<more>\+)?")

_MOST_PIXELS = 10**15  # more than any photo has; SQLite integers end at 2**63


def parse_filters(
    *,
    after: str | None = None,
    before: str | None = None,
    paths: Sequence[str] | None = None,
    not_paths: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    near: str | None = None,
    places: Sequence[str] | None = None,
    within: str | None = None,
    shapes: Collection[str] = (),
    min_size: str | None = None,
    formats: Sequence[str] | None = None,
    albums: Sequence[str] | None = None,
    rating: str | None = None,
    favourite: bool | None = None,
    day: str | None = None,
) -> Filters:
    """Parse filters.

    Raises ``UserError`` for a filter that cannot be parsed, and for filters that exclude everything.
    """
    if len(shapes) > 1:
        raise UserError(f"no photo is {' and '.join(sorted(shapes))}; ask for one shape")
    if within and not near:
        raise UserError(f"within {within} of what? Name the place as well, with --near")
    filters = Filters(
        after=parse_date(after) if after else None,
        before=parse_date(before) if before else None,
        paths=tuple(paths or ()),
        not_paths=tuple(not_paths or ()),
        cameras=tuple(cameras or ()),
        near=parse_place(near, within or "10km") if near else None,
        places=tuple(map(_known_place, places or ())),
        shape=next((shape for shape in SHAPES if shape in shapes), None),
        min_pixels=parse_pixels(min_size) if min_size else 0,
        formats=tuple(formats or ()),
        albums=tuple(albums or ()),
        ratings=parse_rating(rating) if rating else None,
        favourite=favourite,
        day=parse_day(day) if day else None,
    )
    if filters.after and filters.before and filters.after >= filters.before:
        raise UserError(f"nothing was taken after {after} and before {before}; the end is exclusive")
    return filters


def parse_date(text: str) -> datetime:
    """Parse a year, month, day or minute; return its first moment.

    Raises ``UserError``.
    """
    match = _DATE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        year, month, day, hour, minute = match.groups()
        return datetime(int(year), int(month or "1"), int(day or "1"), int(hour or "0"), int(minute or "0"))
    except ValueError:
        raise UserError(
            f"{text!r} is no date; write 2023, 2023-06, 2023-06-30 or '2023-06-30 18:00'"
        ) from None


def parse_day(text: str) -> str:
    """Parse a day of any year, such as ``11-28`` or ``2-9``.

    Returns it as ``MM-DD``. Raises ``UserError``.
    """
    match = _DAY.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        return datetime(_LEAP_YEAR, int(match[1]), int(match[2])).strftime("%m-%d")
    except ValueError:
        raise UserError(f"{text!r} is no day of the year; write month and day, such as 11-28") from None


def parse_place(text: str, within: str) -> Place:
    """Parse a point or the name of a place, and a distance.

    A point is ``latitude,longitude`` in degrees. Of several places of one name it is the most populous.
    Raises ``UserError``.
    """
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        if not any(map(str.isalpha, text)):
            raise UserError(
                f"{text!r} is no place; write its name, or latitude,longitude in degrees: 48.85,2.35"
            ) from None
        latitude, longitude = find_largest_town(text)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # "nan" is neither above nor below
        raise UserError(f"{text}: latitudes are from -90 to 90 degrees, longitudes from -180 to 180")
    return Place(latitude, longitude, parse_distance(within))


def _known_place(text: str) -> str:
    """Return the name of a place. Raises ``UserError`` if it is not known."""
    find_towns(text)
    return text


def parse_distance(text: str) -> float:
    """Parse ``20km``, ``500m``, ``3mi`` or ``20`` as kilometres. Raises ``UserError``."""
    match = _DISTANCE.fullmatch(text.strip())
    if match is None:
        raise UserError(f"{text!r} is no distance; write 20km, 500m or 3mi")
    return float(match["number"]) * _KM[(match["unit"] or "km").lower()]


def parse_pixels(text: str) -> int:
    """Parse ``2MP``, ``2`` (megapixels) or ``1920x1080`` as pixels. Raises ``UserError``."""
    sides, megapixels = _SIDES.fullmatch(text.strip()), _MEGAPIXELS.fullmatch(text.strip())
    if sides is not None:
        # int() takes at most 4,300 digits. The limit also keeps out infinity: 0 times infinity is NaN.
        width, height = (min(float(side), _MOST_PIXELS) for side in sides.groups())
        return round(min(width * height, _MOST_PIXELS))
    if megapixels is not None:
        return round(min(float(megapixels["number"]) * 1_000_000, _MOST_PIXELS))
    raise UserError(f"{text!r} is no size; write 2MP or 1920x1080")


def parse_rating(text: str) -> tuple[int, int]:
    """Parse ``4``, ``4+`` or ``0`` as the least and most stars.

    ``4+`` means at least four, ``0`` unrated. Raises ``UserError``.
    """
    # In an address a plus sign stands for a space.
    match = _RATING.fullmatch(f"{text.rstrip()}+" if text.endswith(" ") else text.strip())
    if match is None:
        raise UserError(f"{text!r} is no rating; write 4 for four stars, 4+ for at least four, 0 for unrated")
    stars = int(match["stars"])
    return stars, MOST_STARS if match["more"] else stars
