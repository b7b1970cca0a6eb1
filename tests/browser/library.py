"""A library with what a page must bear: names and captions that are HTML, copies, a place, weak hits."""

from __future__ import annotations

import datetime
from pathlib import Path

from PIL import Image

from tests.calibrations import calibrated, line
from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.update.library import update_library

HTML_NAME = "<img src=x onerror=alert(1)>.png"
HTML_CAPTION = "<b onclick=alert(2)> red </b> & <script>alert(3)</script>"


def odd_library(place: Path, weak: float = 0.5) -> tuple[Path, FakeEncoder]:
    """Five photos in ``place/photos``: two reds that are alike, a red with captions, a green in ``holiday``
    that knows its camera, its date and Paris, and a blue. Their library, and an encoder with a calibration
    under which only what scores 0.5 or more is likely to match, and hits with the confidence ``weak`` or more
    perhaps match."""
    photos = place / "photos"
    write_photo(photos / HTML_NAME, (250, 90, 0), (300, 200))
    write_photo(photos / "red.png", "red", (300, 200))
    write_photo(photos / "red copy.png", "red", (150, 100))
    write_photo(photos / "holiday" / "green.jpg", (0, 255, 0), (200, 300), exif=_paris())
    write_photo(photos / "blue.png", "blue", (400, 100))
    captions = place / "captions.tsv"
    captions.write_text(f"image\tcaption\n{HTML_NAME}\t{HTML_CAPTION}\n{HTML_NAME}\tred beside green\n")
    encoder = FakeEncoder()
    encoder.folder = place / "model"
    encoder.folder.mkdir()
    calibrated(line(weak=weak)).save(encoder.folder)
    library = place / ".twobranch"
    update_library(library, [photos], encoder, captions=captions)
    return library, encoder


def long_library(place: Path, n: int = 520) -> tuple[Path, FakeEncoder]:
    """A library of so many photos of all shapes, all of them newest photos at once."""
    photos = place / "photos"
    for number in range(n):
        size = (20 + number * 7 % 60, 20 + number * 13 % 40)
        write_photo(photos / f"{number:04}.png", (number % 256, number * 5 % 256, 90), size)
    encoder = FakeEncoder()
    library = place / ".twobranch"
    update_library(library, [photos], encoder)
    return library, encoder


def dated_library(place: Path, n: int = 400) -> tuple[Path, FakeEncoder]:
    """A library of so many photos of all shapes in ``place/photos``, each named by the day it was taken on:
    one every five days up to the end of 2023, so that 400 of them begin in July 2018."""
    for number in range(n):
        add_dated(place / "photos", datetime.date(2023, 12, 31) - datetime.timedelta(days=5 * number), number)
    encoder = FakeEncoder()
    update_library(place / ".twobranch", [place / "photos"], encoder)
    return place / ".twobranch", encoder


def add_dated(photos: Path, day: datetime.date, number: int) -> None:
    """A photo named ``day`` and taken at its noon, whose colour and shape follow from ``number``."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"{day:%Y:%m:%d} 12:00:00"
    size = (40 + number * 7 % 60, 40 + number * 13 % 40)
    write_photo(photos / f"{day}.jpg", (number % 256, number * 5 % 256, 90), size, exif=exif)


def _paris() -> Image.Exif:
    """EXIF of a photo of 5 June 2023, by a Pixel 7, at 48.85 degrees north and 2.35 east."""
    exif = Image.Exif()
    exif[0x0110] = "Pixel 7"
    exif.get_ifd(0x8769)[0x9003] = "2023:06:05 12:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 0.0), 3: "E", 4: (2.0, 21.0, 0.0)})
    return exif
