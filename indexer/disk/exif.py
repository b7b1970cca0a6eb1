"""Date, place and camera of a photo, from plausible EXIF values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from PIL import ExifTags, Image

# Camera names and dates are short, but the EXIF of a TIFF or PNG may hold a text of any length.
_LONGEST_TEXT = 1000

_T = TypeVar("_T")
_Tags = Mapping[int, Any]


@dataclass(frozen=True)
class PhotoFacts:
    """Facts from a photo's EXIF. A field is None if EXIF lacks it or its value is invalid."""

    taken_at: datetime | None  # by the camera's clock, without a zone
    camera: str | None
    latitude: float | None  # degrees, north positive
    longitude: float | None  # degrees, east positive


def read_facts(exif: Image.Exif) -> PhotoFacts:
    """Read the facts in a photo's EXIF. Never raises: each damaged field becomes None on its own."""
    details = _folder(exif, ExifTags.IFD.Exif)
    place = _folder(exif, ExifTags.IFD.GPSInfo)
    latitude = _attempt(lambda: _degrees(place, ExifTags.GPS.GPSLatitude, "NS", 90))
    longitude = _attempt(lambda: _degrees(place, ExifTags.GPS.GPSLongitude, "EW", 180))
    if latitude is None or longitude is None:
        latitude = longitude = None  # one coordinate alone is useless
    return PhotoFacts(
        taken_at=_attempt(lambda: _date(details[ExifTags.Base.DateTimeOriginal]))
        or _attempt(lambda: _date(details[ExifTags.Base.DateTimeDigitized]))
        or _attempt(lambda: _date(exif[ExifTags.Base.DateTime])),
        camera=_attempt(lambda: _camera(exif)),
        latitude=latitude,
        longitude=longitude,
    )


def read_moment(exif: Image.Exif) -> str | None:
    """Return the moment of exposure to a fraction of a second.

    The text is as the file writes it; None if the file does not have it. Frames of a burst share a second.
    Never raises.
    """
    details = _folder(exif, ExifTags.IFD.Exif)
    date = _attempt(lambda: _text(details[ExifTags.Base.DateTimeOriginal]))
    fraction = _attempt(lambda: _text(details[ExifTags.Base.SubsecTimeOriginal]))
    return f"{date}.{fraction}" if date and fraction else None


def _attempt(read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    # The file decides the type of every value. Pillow parses EXIF folders late and raises many types
    # (struct.error, ZeroDivisionError, SyntaxError, ...).
    except Exception:
        return None


def _folder(exif: Image.Exif, folder: ExifTags.IFD) -> _Tags:
    return _attempt(lambda: exif.get_ifd(folder)) or {}


def _text(value: Any) -> str:
    """Return the printable text of a tag.

    Cameras pad with NULs and spaces, and write bytes where text belongs.
    """
    if isinstance(value, bytes):
        text = value[:_LONGEST_TEXT].decode("utf-8", "replace")
    else:
        text = value[:_LONGEST_TEXT] if isinstance(value, str) else ""  # numbers are ignored
    text = text.partition("\0")[0].encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _date(value: Any) -> datetime:
    return datetime.strptime(_text(value)[:19], "%Y:%m:%d %H:%M:%S")


def _camera(exif: Image.Exif) -> str | None:
    make, model = _text(exif.get(ExifTags.Base.Make)), _text(exif.get(ExifTags.Base.Model))
    # Do not repeat the make: "Canon" + "Canon EOS 5D", "NIKON CORPORATION" + "NIKON D70".
    if make and model and make.split()[0].lower() == model.split()[0].lower():
        make = ""
    return f"{make} {model}".strip() or None


def _degrees(place: _Tags, tag: ExifTags.GPS, halves: str, limit: int) -> float | None:
    """Return signed degrees from (degrees, minutes, seconds).

    The tag before ``tag`` holds a letter for the hemisphere; the second letter of ``halves`` makes the value
    negative. Returns None for an invalid value.
    """
    degrees, minutes, seconds = (float(part) for part in place[tag])
    value = degrees + minutes / 60 + seconds / 3600
    half = _text(place[tag - 1]).upper()[:1]
    # Reject values that are not finite or out of range, and any other letter than the two: an O is east in
    # German and west in French.
    if not (math.isfinite(value) and 0 <= value <= limit) or half not in (*halves,):
        return None
    return -value if half == halves[1] else value
