"""JPEGs that are made to take long are refused before they are decoded, and no ordinary one is."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import jpeg, segment, with_scans, with_segments
from twobranch.common.errors import ImageError
from twobranch.embedding.decode_limit import GivenUp, Patience
from twobranch.embedding.jpeg import MOST_SCANS, MOST_SEGMENTS, check_header, check_jpeg
from twobranch.embedding.preprocess import WHOLE, decoding_bytes, load_photo, load_thumbnail, load_views

EXIF = segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + bytes(65_000))
XMP = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000))
PROFILE = segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(65_000))
FILM = np.random.default_rng(1).bytes(30_000_000)  # FF DA stands in it some 450 times


@pytest.mark.parametrize(
    "photo",
    [
        jpeg(),
        jpeg(progressive=True),
        jpeg("L", progressive=True),
        jpeg("CMYK", progressive=True),
        jpeg(optimize=True, quality=100, subsampling=0),
        jpeg(exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
        with_segments(jpeg(), *[PROFILE] * 255),
        with_segments(jpeg(progressive=True), EXIF, *[XMP] * 320),
        jpeg(progressive=True) + jpeg(progressive=True) * 12,  # as MPF has further pictures behind the first
        jpeg(progressive=True) + FILM,  # as phones put one behind a photo that moves
        with_segments(jpeg(progressive=True), segment(0xEF, FILM[:65_000])),
        jpeg()[:2] + b"\xff" * 70_000 + jpeg()[2:],  # padding
        b"\xff\xd8",
        b"\xff\xd8\xff\xda",
        jpeg(progressive=True)[:700],
    ],
    ids=[
        "baseline", "progressive", "grey", "cmyk", "best", "exif", "profile", "xmp", "mpf", "film", "app15",
        "padded", "two bytes", "four bytes", "cut",
    ],
)  # fmt: skip
def test_what_cameras_and_programs_write_is_taken(photo: bytes) -> None:
    check_jpeg(photo)
    check_header(io.BytesIO(photo))


def test_programs_write_as_many_scans_as_the_bounds_say() -> None:
    """The numbers that the bounds were chosen by."""
    assert [jpeg(mode, progressive=True).count(b"\xff\xda") for mode in ("RGB", "CMYK")] == [10, 18]


def by_channels(n: int) -> bytes:
    """A JPEG that is not progressive, with ``n`` scans of one channel each: decoders take them all."""
    photo = jpeg("L")
    at = photo.index(b"\xff\xc0")
    head = photo[at : at + 9] + b"\x03" + b"".join(bytes([i, 0x11, 0]) for i in (1, 2, 3))
    frame = head[:2] + struct.pack(">H", len(head) - 2) + head[4:]
    rest = photo[at + 2 + 11 : -2]
    scan = rest[rest.index(b"\xff\xda") :]
    return photo[:at] + frame + rest[: rest.index(b"\xff\xda")] + scan * n + photo[-2:]


@pytest.mark.parametrize(
    "photo",
    [
        with_scans(2000),
        with_scans(2000, segment(0xFE, b"\xff\xd9")),  # a comment that looks like the end
        with_scans(2000, b"\xff\xd3\xff\xff\xff"),
        with_scans(300) + FILM,
        by_channels(2000),
    ],
    ids=["many", "false ends", "restarts and padding", "film", "channels"],
)
def test_a_scan_too_many_is_refused_before_it_is_decoded(photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo)
    started = time.thread_time()
    for load in (lambda: load_photo(tmp_path / "a.jpg", 8), lambda: load_thumbnail(tmp_path / "a.jpg", 8)):
        with pytest.raises(ImageError) as caught:
            load()
        assert caught.value.reason == f"a JPEG of more than {MOST_SCANS} scans; programs write about 10"
    assert time.thread_time() - started < 2


def test_as_many_scans_as_are_allowed_are_decoded() -> None:
    allowed = with_scans(MOST_SCANS - 10)
    assert load_photo(allowed, 8).width == 64
    with pytest.raises(ImageError, match="scans"):
        load_photo(with_scans(MOST_SCANS - 9), 8)


def test_of_larger_photos_fewer_scans_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twobranch.embedding.jpeg._MOST_SCANNED", 30 * 64 * 64)
    check_jpeg(with_scans(20))
    with pytest.raises(ImageError, match="more than 30 scans"):
        check_jpeg(with_scans(21))
    monkeypatch.setattr("twobranch.embedding.jpeg._MOST_SCANNED", 1)
    check_jpeg(with_scans(10))  # what programs write is always taken


@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        (with_segments(jpeg(), *[EXIF] * 100), "a JPEG with 4 MB of EXIF before its pixels"),
        (with_segments(jpeg(), *[XMP] * 1100), "a JPEG with 67 MB of data before its pixels"),
        (
            with_segments(jpeg(), *[segment(0xFE, b"")] * (MOST_SEGMENTS + 1)),
            "a JPEG with more than 2,000 segments before its pixels",
        ),
        (jpeg()[:2] + bytes(2_000_000) + jpeg()[2:], "a JPEG with 1 MB of nothing before its pixels"),
        (jpeg()[:2] + b"\xff" * 2_000_000 + jpeg()[2:], "a JPEG with 1 MB of nothing before its pixels"),
        (
            jpeg()[:2] + b"\xff\xd8" * 100_000 + jpeg()[2:],
            "a JPEG with more than 2,000 segments before its pixels",
        ),
    ],
    ids=["exif", "xmp", "comments", "zeros", "padding", "beginnings"],
)
def test_what_comes_before_the_pixels_has_an_end(photo: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo)
    started = time.thread_time()
    with pytest.raises(ImageError) as caught:
        load_photo(tmp_path / "a.jpg", 8)
    assert caught.value.reason == reason
    with (tmp_path / "a.jpg").open("rb") as file:
        assert decoding_bytes(file, "a.jpg", 8, WHOLE) == 0  # the header is not read on either
    assert time.thread_time() - started < 2


class Impatient(Patience):
    """Gives up when it is asked the ``n``-th time."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.left = n

    def check(self) -> None:
        self.left -= 1
        if not self.left:
            self.give_up()
        super().check()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    "load",
    [
        lambda data, patience: load_views(data, 64, WHOLE, patience=patience),
        lambda data, patience: load_thumbnail(data, 64, patience=patience),
    ],
)
def test_decoding_ends_when_it_is_given_up(kind: str, load: Callable[[bytes, Patience], object]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    asked = Impatient(1 << 60)
    load(file.getvalue(), asked)
    n = (1 << 60) - asked.left
    assert n > 4  # it is asked all along
    with pytest.raises(GivenUp):
        load(file.getvalue(), Impatient(n // 2))


def test_no_photo_takes_longer_than_its_time() -> None:
    photo = jpeg(side=1000, quality=95)
    with pytest.raises(ImageError) as caught:
        load_views(photo, 1000, WHOLE, patience=Patience(0.0))
    assert caught.value.reason == "takes more than 0 s to decode"
    assert load_views(photo, 1000, WHOLE, patience=Patience(60)).width == 1000
