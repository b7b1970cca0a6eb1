"""Words in photo files, written as other programs write them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images, index
from twobranch.indexer.disk.keywords import read_keywords
from twobranch.indexer.update.library import update_library

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description>
<dc:subject><rdf:Bag><rdf:li>Zürich</rdf:li><rdf:li>salt &amp; pepper</rdf:li></rdf:Bag></dc:subject>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">By the lake</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def exif(**tags: object) -> Image.Exif:
    """EXIF with these tags by their names; ``UserComment`` lies in a folder of its own."""
    made = Image.Exif()
    for name, value in tags.items():
        tag = ExifTags.Base[name]
        (made.get_ifd(ExifTags.IFD.Exif) if name == "UserComment" else made)[tag] = value
    return made


def photo(data_exif: Image.Exif | None = None, **save: object) -> bytes:
    """The bytes of a JPEG with this metadata."""
    stream = io.BytesIO()
    if data_exif is not None:
        save["exif"] = data_exif
    Image.new("RGB", (8, 8)).save(stream, "JPEG", **save)
    return stream.getvalue()


def keywords(data: bytes) -> list[str]:
    with Image.open(io.BytesIO(data)) as image:
        return (read_keywords(data, image.getexif()) or "").splitlines()


def iptc(*fields: tuple[int, bytes]) -> bytes:
    """A JPEG whose APP13 segment holds these IPTC fields of record 2."""
    records = b"".join(
        b"\x1c\x02" + bytes([tag]) + len(value).to_bytes(2, "big") + value for tag, value in fields
    )
    block = b"8BIM\x04\x04\0\0" + len(records).to_bytes(4, "big") + records + b"\0" * (len(records) % 2)
    segment = b"Photoshop 3.0\0" + block
    plain = photo()
    return plain[:2] + b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment + plain[2:]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"ImageDescription": "a dog at the lake"}, ["a dog at the lake"]),
        ({"XPKeywords": "beach;Zürich\0".encode("utf-16-le")}, ["beach;Zürich"]),
        ({"XPTitle": "Summer\0".encode("utf-16-le")}, ["Summer"]),
        ({"UserComment": b"ASCII\0\0\0at the pool"}, ["at the pool"]),
        ({"UserComment": b"UNICODE\0" + "été".encode("utf-16-le")}, ["été"]),
        ({"UserComment": b"\0" * 8 + b"\x01\x02program data"}, []),
        ({"ImageDescription": "OLYMPUS DIGITAL CAMERA"}, []),
        ({"ImageDescription": "SONY DSC"}, []),
        ({}, []),
    ],
)
def test_exif(tags: dict[str, object], expected: list[str]) -> None:
    assert keywords(photo(exif(**tags))) == expected


def test_iptc_keywords_and_caption() -> None:
    data = iptc((25, b"beach"), (25, "Zürich".encode()), (120, "Köln am Rhein".encode("latin-1")))
    assert keywords(data) == ["beach", "Zürich", "Köln am Rhein"]


def test_xmp_in_any_kind_of_file() -> None:
    for plain in (photo(), photo(exif(ImageDescription="by the LAKE"))):
        words = keywords(plain + XMP.encode())
        # What two of them say is kept once, as the first wrote it.
        assert sorted(word.lower() for word in words) == ["by the lake", "salt & pepper", "zürich"]


def test_no_entity_of_the_file_is_resolved() -> None:
    evil = '<!DOCTYPE x [<!ENTITY own SYSTEM "file:///etc/passwd">]>' + XMP.replace("By the", "&own;")
    assert keywords(photo() + evil.encode())[-1] == "&own; lake"


def test_a_packet_without_end_is_left_out() -> None:
    assert keywords(photo() + XMP.encode()[:-20] + b" " * (1 << 20)) == []


def test_what_is_too_long_is_cut() -> None:
    text = read_keywords(photo() + XMP.replace("Zürich", "sea " * 5000).encode(), Image.Exif())
    assert text is not None and len(text) == 2000


def test_keywords_are_kept_with_the_photo(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    path = write_photo(tmp_path / "photos" / "a.jpg", "red", exif=exif(ImageDescription="lake"))
    index(library, tmp_path / "photos", encoder)
    assert images(library)["photos/a.jpg"].keywords == "lake"

    path.rename(tmp_path / "photos" / "b.jpg")  # not read again, and known all the same
    update_library(library, [tmp_path / "photos"], encoder)
    assert images(library)["photos/b.jpg"].keywords == "lake"

    write_photo(tmp_path / "photos" / "b.jpg", "blue")
    index(library, tmp_path / "photos", encoder)
    assert images(library)["photos/b.jpg"].keywords is None
