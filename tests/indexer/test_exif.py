from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from tests.fakes import write_photo
from twobranch.embedding.preprocess import load_photo
from twobranch.indexer.disk.exif import PhotoFacts, read_facts

NOTHING = PhotoFacts(None, None, None, None)
Base, GPS, IFD = ExifTags.Base, ExifTags.GPS, ExifTags.IFD

PARIS = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (48.0, 51.0, 30.0)} | {
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (2.0, 17.0, 42.0),
}


def exif(
    tags: dict[int, Any] | None = None,
    details: dict[int, Any] | None = None,
    place: dict[int, Any] | None = None,
) -> Image.Exif:
    made = Image.Exif()
    made.update(tags or {})
    made.get_ifd(IFD.Exif).update(details or {})
    made.get_ifd(IFD.GPSInfo).update(place or {})
    return made


def test_no_exif_is_no_facts() -> None:
    assert read_facts(Image.Exif()) == NOTHING


def test_facts_of_a_photo_file(tmp_path: Path) -> None:
    tags = exif(
        {Base.Make: "Canon", Base.Model: "Canon EOS 5D"}, {Base.DateTimeOriginal: "2019:07:14 21:05:09"}
    )
    tags.get_ifd(IFD.GPSInfo).update(PARIS)
    path = write_photo(tmp_path / "a.jpg", "red", exif=tags)
    facts = read_facts(load_photo(path, 8).exif)
    assert facts.taken_at == datetime(2019, 7, 14, 21, 5, 9)
    assert facts.camera == "Canon EOS 5D"
    # 48 + 51/60 + 30/3600 and 2 + 17/60 + 42/3600
    assert (facts.latitude, facts.longitude) == (pytest.approx(48.858333), pytest.approx(2.295))


@pytest.mark.parametrize(
    "value",
    [
        "0000:00:00 00:00:00",
        "2019:13:01 00:00:00",
        "    :  :     :  :  ",
        "",
        "\0",
        b"\xff\xfe",
        7,
        None,
        (1, 2),
    ],
)
def test_dates_that_are_none(value: object) -> None:
    assert read_facts(exif(details={Base.DateTimeOriginal: value})).taken_at is None


def test_the_date_of_taking_comes_before_the_date_of_the_file() -> None:
    assert read_facts(
        exif({Base.DateTime: "2020:01:01 00:00:00"}, {Base.DateTimeOriginal: "2019:01:01 00:00:00\0"})
    ).taken_at == datetime(2019, 1, 1)
    assert read_facts(
        exif({Base.DateTime: "2020:01:01 00:00:00"}, {Base.DateTimeOriginal: "0000:00:00 00:00:00"})
    ).taken_at == datetime(2020, 1, 1)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("SONY\0\0\0\0", "  DSC-W1   \0junk", "SONY DSC-W1"),
        (b"Leica", None, "Leica"),
        ("\0", "   ", None),
        ("a\udcffb", None, "a?b"),  # must fit the catalogue, whose text is UTF-8
    ],
)
def test_camera_names(make: object, model: object, camera: str | None) -> None:
    tags = {tag: value for tag, value in ((Base.Make, make), (Base.Model, model)) if value is not None}
    assert read_facts(exif(tags)).camera == camera


def test_south_and_west_are_negative() -> None:
    place = PARIS | {GPS.GPSLatitudeRef: "S", GPS.GPSLongitudeRef: "W"}
    facts = read_facts(exif(place=place))
    assert (facts.latitude, facts.longitude) == (pytest.approx(-48.858333), pytest.approx(-2.295))


@pytest.mark.parametrize(
    "damage",
    [
        {GPS.GPSLatitude: (91.0, 0.0, 0.0)},
        {GPS.GPSLongitude: (180.0, 0.0, 1.0)},
        {GPS.GPSLatitude: (float("nan"), 0.0, 0.0)},
        {GPS.GPSLatitude: (IFDRational(0, 0), IFDRational(0, 0), IFDRational(0, 0))},
        {GPS.GPSLatitude: (48.0, 51.0)},
        {GPS.GPSLatitude: 48.0},
        {GPS.GPSLatitude: "48"},
        {GPS.GPSLatitudeRef: "\0"},
        {GPS.GPSLongitude: (-2.0, 0.0, 0.0)},
    ],
)
def test_half_a_place_is_none_and_spoils_nothing_else(damage: dict[int, Any]) -> None:
    facts = read_facts(exif({Base.Make: "Apple"}, place=PARIS | damage))
    assert facts == PhotoFacts(None, "Apple", None, None)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_garbage_for_exif_never_raises(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for garbage in (
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xaa" * 64,
    ):
        write_photo(path, "red", exif=garbage)
        assert read_facts(load_photo(path, 8).exif) == NOTHING
