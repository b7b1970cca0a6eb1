"""Photo files that are nearly right: valid ones of every kind with bits flipped, pieces cut out, doubled or
taken from other files, and lengths that lie. The same seed gives the same files.

``python -m tests.torture.malformed SEED FIRST N`` reads N of them as ``index`` would and prints what came of
it as JSON; a process of its own, so that its memory can be measured and a crash is seen.
"""

from __future__ import annotations

import faulthandler
import io
import json
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from tests.pictures import scene
from twobranch.embedding.preprocess import WHOLE
from twobranch.indexer.disk.memory import Memory
from twobranch.indexer.disk.read import Job, read_photo
from twobranch.indexer.disk.walk import FoundFile

# So that a width which lies cannot ask for more memory than the test can tell from noise.
MAX_PIXELS = 2_000_000
HANGS_AFTER = 20  # seconds

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description><dc:subject><rdf:Bag>'
    b"<rdf:li>harbour</rdf:li><rdf:li>salt &amp; pepper</rdf:li></rdf:Bag></dc:subject>"
    b"<dc:title><rdf:Alt><rdf:li>By the lake</rdf:li></rdf:Alt></dc:title>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def _exif() -> Image.Exif:
    """With every kind of value that the program reads."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Canon", "Canon EOS 5D"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.DateTime] = "2020:02:03 04:05:06"
    exif[ExifTags.Base.ImageDescription] = "boats in the harbour"
    exif[ExifTags.Base.XPKeywords] = "boats;sea\0".encode("utf-16-le")
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2020:02:03 04:05:06"
    details[ExifTags.Base.UserComment] = b"UNICODE\0" + "at sea".encode("utf-16-le")
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (48.0, 51.0, 30.0)
    place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "E", (2.0, 17.0, 42.0)
    return exif


def with_iptc(jpeg: bytes) -> bytes:
    """The JPEG with an IPTC keyword."""
    record = b"\x1c\x02\x19" + struct.pack(">H", 5) + b"beach"
    block = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    return jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@cache
def valid_files() -> dict[str, bytes]:
    """One or more of each kind, by name, with all the metadata that the kind can hold."""
    photo = scene(1, (64, 48))
    grey16 = Image.fromarray(257 * np.asarray(photo.convert("L"), dtype=np.uint16))
    frames = [scene(n, (64, 48)) for n in (1, 2, 3)]
    exif, icc = _exif(), b"\0\0\0\x84" + b"junk" * 32
    made: dict[str, bytes] = {}

    def save(name: str, image: Image.Image, **options: object) -> None:
        stream = io.BytesIO()
        image.save(stream, {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], name.rpartition(".")[2]), **options)
        made[name] = stream.getvalue()

    save("plain.jpg", photo, exif=exif, icc_profile=icc)
    save("progressive.jpg", photo, progressive=True, exif=exif)
    save("cmyk.jpg", photo.convert("CMYK"))
    made["iptc.jpg"] = with_iptc(made["plain.jpg"])
    made["xmp.jpg"] = made["plain.jpg"] + XMP
    save("plain.png", photo, exif=exif, icc_profile=icc)
    save("grey16.png", grey16)
    save("palette.png", photo.quantize(16), transparency=3)
    save("animated.png", frames[0], save_all=True, append_images=frames[1:])
    save("plain.webp", photo, exif=exif, xmp=XMP)
    save("lossless.webp", photo.convert("RGBA"), lossless=True)
    save("animated.webp", frames[0], save_all=True, append_images=frames[1:])
    save("animated.gif", frames[0], save_all=True, append_images=frames[1:])
    save("plain.tif", photo, exif=exif)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        save(f"{compression}.tif", photo, compression=compression)
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[TiffImagePlugin.IPTC_NAA_CHUNK] = b"\x1c\x02\x19" + struct.pack(">H", 5) + b"beach"
    save("iptc.tif", photo, tiffinfo=directory)
    save("plain.bmp", photo)
    save("palette.bmp", photo.quantize(16))
    return made


# --- damage -----------------------------------------------------------------------------------------


def _flip_bits(random: Random, data: bytearray) -> None:
    for _ in range(random.choice((1, 2, 8, 64))):
        data[_place(random, data)] ^= 1 << random.randrange(8)


def _overwrite(random: Random, data: bytearray) -> None:
    at, n = _place(random, data), random.choice((1, 2, 4, 16))
    data[at : at + n] = random.choice((b"\0" * n, b"\xff" * n, random.randbytes(n)))


def _cut_off(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


def _cut_out(random: Random, data: bytearray) -> None:
    at = _place(random, data)
    del data[at : at + random.choice((1, 2, 10, 100))]


def _double(random: Random, data: bytearray) -> None:
    at, n = _place(random, data), random.choice((1, 10, 100))
    data[at:at] = data[at : at + n] * random.choice((1, 2, 50))


def _repeat(random: Random, data: bytearray) -> None:
    """What lies between two markers of a JPEG, as often as 256 kB hold it: scans and segments have no end."""
    markers = [at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] not in (0x00, 0xFF)]
    if len(markers) > 1:
        first, last = sorted(random.sample(markers, 2))
        piece = bytes(data[first:last])
        data[first:first] = piece * ((1 << 18) // len(piece))


def _splice(random: Random, data: bytearray) -> None:
    """The beginning of this and the end of another one."""
    other = random.choice(list(valid_files().values()))
    data[random.randrange(len(data)) :] = other[random.randrange(len(other)) :]


def _lie(random: Random, data: bytearray) -> None:
    """A number where there was another: lengths, counts, offsets and sizes are all such."""
    width, order = random.choice("BHI"), random.choice("<>")
    largest = (1 << 8 * struct.calcsize(width)) - 1
    value = random.choice((0, 1, largest, largest >> 1, (largest >> 1) + 1, random.randrange(largest + 1)))
    at = _place(random, data)
    field = struct.pack(order + width, value)
    data[at : at + len(field)] = field


def _place(random: Random, data: bytearray) -> int:
    """Mostly in the headers, where a byte means more."""
    return random.randrange(min(len(data), random.choice((64, 1024, len(data), len(data)))) or 1)


DAMAGES: tuple[Callable[[Random, bytearray], None], ...] = (
    _flip_bits,
    _overwrite,
    _cut_off,
    _cut_out,
    _double,
    _repeat,
    _splice,
    _lie,
)


def malformed(seed: str, number: int) -> tuple[str, bytes]:
    """The name and content of one of endlessly many files."""
    random = Random(f"{seed} {number}")
    name, data = random.choice(list(valid_files().items()))
    damaged = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        if damaged:
            random.choice(DAMAGES)(random, damaged)
    return f"{number:06}-{name}", bytes(damaged)


# --- reading them -----------------------------------------------------------------------------------


def read_all(seed: str, first: int, n: int) -> dict[str, object]:
    """How many were read and how many failed for which reason, and what it took."""
    outcomes: Counter[str] = Counter()
    slowest = (0.0, "")
    memory = Memory(64 << 20)
    before = 0
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(first, first + n):
            name, data = malformed(seed, number)
            path = Path(temporary, name)
            path.write_bytes(data)
            faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
            started = time.perf_counter()
            job = Job(1, path.parent, FoundFile(name, len(data), 0))
            read = read_photo(job, 16, WHOLE, (), memory, max_pixels=MAX_PIXELS)
            slowest = max(slowest, (time.perf_counter() - started, name))
            path.unlink()
            outcomes["read" if read.failure is None else read.failure] += 1
            if number == first + 20:  # every library that there is to load is loaded
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faulthandler.cancel_dump_traceback_later()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"outcomes": outcomes, "slowest": slowest, "grown_mb": (peak - before) / 1024}


if __name__ == "__main__":
    print(json.dumps(read_all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
