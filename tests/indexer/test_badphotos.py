"""Odd, broken and hostile photos, one of each kind: indexed as they should be, or listed with the reason."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images, index, photo_index
from tests.pictures import segment, with_scans, with_segments
from twobranch.embedding.preprocess import WHOLE, load_photo
from twobranch.indexer.disk.memory import Memory
from twobranch.indexer.disk.read import Job, read_photo
from twobranch.indexer.disk.walk import FoundFile
from twobranch.indexer.update.run import Effort
from twobranch.retrieval.display.status import library_status

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's; the program silences them
RED = (255, 0, 0)


def jpeg(**options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), RED).save(stream, "JPEG", **options)
    return stream.getvalue()


def png(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims this size, and that holds nearly nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


# --- photos that only look odd -----------------------------------------------------------------------


def animation() -> bytes:
    stream = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def palette_with_transparency() -> bytes:
    """Red, and one corner transparent: white."""
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *RED])
    image.putpixel((0, 0), 0)
    return png(image, transparency=0)


def cmyk() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), RED).convert("CMYK").save(stream, "JPEG", quality=100)
    return stream.getvalue()


def with_exif(orientation: int, entry: tuple[int, int, int] | None = None) -> bytes:
    """A JPEG with an orientation and a date, whose entry in the EXIF is replaced: (tag, type, count)."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.DateTime] = "2020:02:03 04:05:06"
    block = exif.tobytes()
    if entry is not None:
        date = struct.pack(">HHI", ExifTags.Base.DateTime, 2, 20)  # 2: text
        assert block.count(date) == 1
        block = block.replace(date, struct.pack(">HHI", *entry))
    return jpeg(exif=block)


GOOD: dict[str, Callable[[], bytes]] = {
    "wrong-extension.png": jpeg,
    "cmyk.jpg": cmyk,
    "16-bit.png": lambda: png(Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16))),
    "palette.png": palette_with_transparency,
    "animated.gif": animation,
    "1x1.png": lambda: png(Image.new("RGB", (1, 1), RED)),
    "1x30000.png": lambda: png(Image.new("RGB", (1, 30_000), RED)),
    "30000x1.jpg": lambda: _saved(Image.new("RGB", (30_000, 1), RED)),
    "icc-junk.jpg": lambda: jpeg(icc_profile=b"junk" * 1000),
    "icc-junk.png": lambda: png(Image.new("RGB", (8, 8), RED), icc_profile=b"\0\xff" * 99),
    "exif-junk.jpg": lambda: jpeg(exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xaa" * 64),
    "turned-by-99.jpg": lambda: with_exif(99),
    "turned-by-text.jpg": lambda: with_exif(1, (ExifTags.Base.Orientation, 2, 20)),
    "size-lies.jpg": lambda: with_exif(1, (ExifTags.Base.ImageWidth, 2, 20)),
    "count-lies.jpg": lambda: with_exif(1, (ExifTags.Base.DateTime, 2, 0xFFFFFFFF)),
    # A date that is a float (12): nothing can write such an EXIF again, and nothing has to.
    "turned-and-wrong.jpg": lambda: with_exif(6, (ExifTags.Base.DateTime, 12, 1)),
    "more-after-the-end.jpg": lambda: jpeg() + b"PK\x03\x04 a zip file" * 100,
}


def _saved(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize("name", GOOD)
def test_odd_photos_are_indexed_with_the_vector_of_their_pixels(
    library: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(GOOD[name]())
    report = index(library, tmp_path, FakeEncoder())  # which compares vectors with pixels
    assert (report.added, report.failed) == (1, ())
    if "16-bit" not in name:
        best = photo_index(library).search(FakeEncoder().encode_texts(["red"]), 1)[0]
        assert best[0, 0] > 0.9


def test_a_damaged_exif_of_a_webp_spoils_no_picture() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), RED).save(stream, "WEBP", exif=b"Exif\0\0MM\0\0\0\0\0\x08 no TIFF")
    assert load_photo(stream.getvalue(), 8).width == 8


# --- what is no photo --------------------------------------------------------------------------------

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.jpg": (lambda: b"", "empty file"),
    "text.jpg": (lambda: b"hello", "not an image, or damaged at its beginning"),
    "truncated.jpg": (lambda: _saved(Image.effect_noise((64, 64), 90))[:1000], "truncated"),
    "bomb.png": (lambda: png_of_size(50_000, 50_000), "50000 x 50000 is more than 128 megapixels"),
    "sides-lie.png": (lambda: png_of_size(2_147_483_647, 2_147_483_647), "more than 128 megapixels"),
    "claims.png": (lambda: png_of_size(1000, 1000), "truncated"),
    "zero.png": (lambda: png_of_size(0, 8), "damaged"),
    "scans.jpg": (lambda: with_scans(50_000, side=8), "a JPEG of more than 100 scans"),
    "exif.jpg": (lambda: with_segments(_saved(Image.new("RGB", (8, 8))), *[EXIF] * 1000), "MB of EXIF"),
}


EXIF = segment(0xE1, b"Exif\0\0" + bytes(65_000))


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_listed_with_the_reason(library: Path, photos: Path, name: str) -> None:
    content, reason = BAD[name]
    (photos / name).write_bytes(content())
    report = index(library, photos, FakeEncoder())
    assert report.added == 3
    ((failed),) = library_status(library)["failed"]
    assert failed["path"] == str(photos / name)
    assert reason in failed["reason"]


def test_what_is_no_file_is_listed_with_the_reason(library: Path, photos: Path) -> None:
    os.mkfifo(photos / "pipe.jpg")
    (photos / "nowhere.jpg").symlink_to(photos / "gone")
    (photos / "itself.jpg").symlink_to(photos / "itself.jpg")
    (photos / "folder-link.jpg").symlink_to(photos)
    write_photo(photos / "folder.jpg" / "inside.png", "red")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(photos / "socket.jpg"))
        report = index(library, photos, FakeEncoder())
        assert report.added == 4  # of the folder, what is in it
        status = library_status(library)
        assert {Path(one["path"]).name: one["reason"] for one in status["failed"]} == {
            "pipe.jpg": "a pipe, not a photo",
            "socket.jpg": "a socket, not a photo",
            "nowhere.jpg": "a link to a file that is not there",
            "itself.jpg": "a link that cannot be followed (too many levels of symbolic links)",
            "folder-link.jpg": "a folder, not a photo",
        }
        assert status["changes"] == {"new": 0, "changed": 0, "gone": 0, "caption_files": 0, "unreachable": 0}


def test_names_may_hold_anything(library: Path, tmp_path: Path) -> None:
    names = ["new\nline.png", "quote\"'.png", "; DROP TABLE images.png", "\x1b[31mred.png", "%s{0}.png"]
    names += [os.fsdecode(b"caf\xe9.png"), " .png", "-rf.png", "語.png", "a\\b.png"]
    for name in names:
        write_photo(tmp_path / "photos" / name, "red")
    report = index(library, tmp_path / "photos", FakeEncoder())
    assert report.failed == ()
    assert sorted(images(library)) == sorted(f"photos/{name}" for name in names)


# --- the limit on pixels ------------------------------------------------------------------------------


def test_the_limit_can_be_lifted_and_what_was_indexed_stays(library: Path, photos: Path) -> None:
    write_photo(photos / "wide.png", "red", (2000, 10))
    small = Effort(max_pixels=19_999)
    report = index(library, photos, FakeEncoder(), effort=small)
    assert [failure.reason for failure in report.failed] == [
        "2000 x 10 is more than 0.019999 megapixels; `index --max-megapixels 1` takes it"
    ]
    report = index(library, photos, FakeEncoder(), effort=Effort(max_pixels=20_000))
    assert (report.updated, report.failed) == (1, ())
    # It is not read again, and so the lower limit of a later run does not matter.
    report = index(library, photos, FakeEncoder(), effort=small)
    assert (report.unchanged, report.failed) == (4, ())


# --- files that change -------------------------------------------------------------------------------


class AsItIsRead(Memory):
    """Something happens between the look at a photo's header and the reading of the photo."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__(1 << 20)
        self._happens = happens
        self._asked = 0

    def room_for(self, n: int):  # type: ignore[no-untyped-def]
        self._asked += 1
        if self._asked == 2:
            self._happens()
        return super().room_for(n)


def read(path: Path, happens: Callable[[], object] = lambda: None) -> str | None:
    """Why the photo cannot be read; None if it can."""
    job = Job(1, path.parent, FoundFile(path.name, path.stat().st_size, 0))
    result = read_photo(job, 8, WHOLE, (), AsItIsRead(happens))
    assert (result.decoded is None) == (result.failure is not None)
    return result.failure


def test_a_file_that_changes_while_it_is_read_is_not_half_of_each(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png", "red")
    assert read(photo) is None
    changed = "changed while it was read; run `index` again"
    assert read(photo, lambda: os.truncate(photo, 20)) == changed
    photo.write_bytes(jpeg())
    assert read(photo, lambda: photo.write_bytes(jpeg() + b"more")) == changed
    photo.write_bytes(jpeg())
    later = photo.stat().st_mtime + 5
    assert read(photo, lambda: os.utime(photo, (later, later))) == changed
    # Another file that takes over the name changes nothing of the one that is open.
    other = write_photo(tmp_path / "other.png", "blue")
    assert read(photo, lambda: other.replace(photo)) is None


def test_a_pipe_that_takes_a_photos_place_after_the_scan_holds_nobody_up(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png", "red")
    photo.unlink()
    os.mkfifo(photo)
    assert read(photo) == "a pipe, not a photo"


def test_a_pipe_that_takes_its_place_at_the_last_moment_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the question what it is and the opening: opened without waiting, and asked again."""
    photo = write_photo(tmp_path / "a.png", "red")
    good = photo.stat()
    photo.unlink()
    os.mkfifo(photo)
    monkeypatch.setattr(Path, "stat", lambda self, **options: good)
    assert stat.S_ISREG(photo.stat().st_mode)
    assert read(photo) == "a pipe, not a photo"
