"""When, where and with what a photo was taken, as far as its EXIF can be believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from PIL import ExifTags, Image

# Names of cameras and dates are short; the EXIF of a TIFF or PNG may hold a text of any length.
_LONGEST_TEXT = 1000

_T = TypeVar("_T")
_Tags = Mapping[int, Any]


@dataclass(frozen=True)
class PhotoFacts:
    """What EXIF says; None where it says nothing or nonsense."""

    taken_at: datetime | None  # by the camera's clock, without a zone
    camera: str | None
    latitude: float | None  # degrees, north positive
    longitude: float | None  # degrees, east positive


def read_facts(exif: Image.Exif) -> PhotoFacts:
    """The facts in a photo's EXIF. Never raises: each field that is damaged becomes None on its own."""
    details = _folder(exif, ExifTags.IFD.Exif)
    place = _folder(exif, ExifTags.IFD.GPSInfo)
    latitude = _attempt(lambda: _degrees(place, ExifTags.GPS.GPSLatitude, "NS", 90))
    longitude = _attempt(lambda: _degrees(place, ExifTags.GPS.GPSLongitude, "EW", 180))
    if latitude is None or longitude is None:
        latitude = longitude = None  # half a place is none
    return PhotoFacts(
        taken_at=_attempt(lambda: _date(details[ExifTags.Base.DateTimeOriginal]))
        or _attempt(lambda: _date(details[ExifTags.Base.DateTimeDigitized]))
        or _attempt(lambda: _date(exif[ExifTags.Base.DateTime])),
        camera=_attempt(lambda: _camera(exif)),
        latitude=latitude,
        longitude=longitude,
    )


def read_moment(exif: Image.Exif) -> str | None:
    """When the shutter opened, to a fraction of a second, as the file writes it; None where it does not say.

    Frames of a burst share a second. Never raises.
    """
    details = _folder(exif, ExifTags.IFD.Exif)
    date = _attempt(lambda: _text(details[ExifTags.Base.DateTimeOriginal]))
    fraction = _attempt(lambda: _text(details[ExifTags.Base.SubsecTimeOriginal]))
    return f"{date}.{fraction}" if date and fraction else None


def _attempt(read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    # The file decides the type of every value, and Pillow parses folders late and raises what it likes
    # (struct.error, ZeroDivisionError, SyntaxError, ...).
    except Exception:
        return None


def _folder(exif: Image.Exif, folder: ExifTags.IFD) -> _Tags:
    return _attempt(lambda: exif.get_ifd(folder)) or {}


def _text(value: Any) -> str:
    """The printable text of a tag: cameras pad with NULs and spaces, and write bytes where text belongs."""
    if isinstance(value, bytes):
        text = value[:_LONGEST_TEXT].decode("utf-8", "replace")
    else:
        text = value[:_LONGEST_TEXT] if isinstance(value, str) else ""  # numbers are no text
    text = text.partition("\0")[0].encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _date(value: Any) -> datetime:
    return datetime.strptime(_text(value)[:19], "%Y:%m:%d %H:%M:%S")


def _camera(exif: Image.Exif) -> str | None:
    make, model = _text(exif.get(ExifTags.Base.Make)), _text(exif.get(ExifTags.Base.Model))
    # "Canon" + "Canon EOS 5D" is one Canon; "NIKON CORPORATION" + "NIKON D70" one Nikon.
    if make and model and make.split()[0].lower() == model.split()[0].lower():
        make = ""
    return f"{make} {model}".strip() or None


def _degrees(place: _Tags, tag: ExifTags.GPS, halves: str, limit: int) -> float | None:
    """Signed degrees from (degrees, minutes, seconds); the tag before holds the half of the world, by its
    letter: of the two ``halves`` the second is negative."""
    degrees, minutes, seconds = (float(part) for part in place[tag])
    value = degrees + minutes / 60 + seconds / 3600
    half = _text(place[tag - 1]).upper()[:1]
    # Not a number, or off the globe; a half that is missing or another letter would be a coin toss: an O is
    # east in German and west in French.
    if not (math.isfinite(value) and 0 <= value <= limit) or half not in (*halves,):
        return None
    return -value if half == halves[1] else value
