"""Files that are nearly photos: each is read or refused with a reason, and no other photo notices."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from PIL import ExifTags, Image

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images, index
from tests.torture.conftest import Rounds
from tests.torture.malformed import malformed, valid_files
from twobranch.embedding.formats import open_photo
from twobranch.indexer.disk.exif import read_facts
from twobranch.indexer.disk.keywords import read_keywords

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's; the program silences them
ROOT = Path(__file__).parent.parent.parent


def test_the_files_that_are_damaged_are_good_before(tmp_path: Path, library: Path) -> None:
    for name, data in valid_files().items():
        (tmp_path / name).write_bytes(data)
    report = index(library, tmp_path, FakeEncoder())
    assert (report.added, report.failed) == (len(valid_files()), ())


def test_no_crash_no_hang_and_no_memory(
    request: pytest.FixtureRequest, rounds: Rounds, tally: Counter[str]
) -> None:
    """A file that is read takes a fraction of a second; 2 megapixels take 40 MB at most."""
    seed, at_a_time = request.config.getoption("--seed"), rounds(short=6000, long=50_000)
    for first in range(0, rounds(short=6000, long=500_000), at_a_time):
        command = [sys.executable, "-m", "tests.torture.malformed", seed, str(first), str(at_a_time)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[-3000:]
        answer = json.loads(result.stdout)
        assert answer["slowest"][0] < 5
        assert answer["grown_mb"] < 100
        assert not [reason for reason in answer["outcomes"] if "\n" in reason or len(reason) > 250]
        read = answer["outcomes"].pop("read")
        assert read > at_a_time / 10  # else the damage is too coarse to get anywhere
        tally["malformed photo files refused with a reason"] += sum(answer["outcomes"].values())
        tally["malformed photo files read all the same"] += read


def test_good_photos_among_malformed_ones_get_exactly_their_own_vectors(
    tmp_path: Path, library: Path, request: pytest.FixtureRequest, rounds: Rounds, tally: Counter[str]
) -> None:
    photos, n = tmp_path / "photos", rounds(short=300, long=5000)
    photos.mkdir()
    for number in range(n):
        name, data = malformed(f"among {request.config.getoption('--seed')}", number)
        (photos / name).write_bytes(data)
        # The colours differ in every photo, and so do the vectors, which `index` compares with the pixels.
        if number % 10 == 0:
            write_photo(photos / f"{number:06}-good.png", (number % 256, number // 256, 128))
    report = index(library, photos, FakeEncoder())
    stored = images(library)
    assert len(stored) == n + len(range(0, n, 10))  # each with a vector or a reason
    assert not [path for path, image in stored.items() if path.endswith("good.png") and image.failure]
    assert {failure.path for failure in report.failed} == {
        str(library.parent / path) for path, image in stored.items() if image.failure
    }
    assert 0 < len(report.failed) < n
    tally["malformed photo files indexed among good ones"] += n


# --- metadata alone: most damage to a whole file never gets there -------------------------------------


def mutated(random: Random, data: bytes) -> bytes:
    """With numbers of 2 and 4 bytes that lie, the types and counts of EXIF among them."""
    block = bytearray(data)
    for _ in range(random.choice((1, 2, 5))):
        width = random.choice((1, 2, 4))
        at = random.randrange(len(block) - width)
        value = random.choice(
            (0, 1, 2, 3, 4, 5, 7, 9, 12, (1 << 8 * width) - 1, random.getrandbits(8 * width))
        )
        block[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(
            width, random.choice(("big", "little"))
        )
    return bytes(block)


def test_damaged_metadata_gives_facts_or_none(random: Random, rounds: Rounds, tally: Counter[str]) -> None:
    jpeg = valid_files()["iptc.jpg"]
    with Image.open(io.BytesIO(jpeg)) as image:
        exif = image.info["exif"]
    at = jpeg.index(exif)
    n = rounds(short=3000, long=200_000)
    facts_left = words_left = 0
    for _ in range(n):
        damaged = mutated(random, exif)
        data = mutated(random, jpeg[:at]) if random.random() < 0.2 else jpeg[:at]
        data += damaged + jpeg[at + len(exif) :]
        try:
            opened = open_photo(data)
        except Exception:  # the JPEG before the EXIF was hit
            continue
        facts, words = read_facts(opened.exif), read_keywords(data, opened.exif)
        facts_left += facts.camera is not None
        words_left += words is not None
        # What the catalogue cannot hold would end the transaction of all photos beside it.
        for text in (facts.camera, words):
            assert text is None or ("\0" not in text and text.encode())
    assert facts_left > n / 10 and words_left > n / 10
    tally["damaged EXIF and IPTC blocks"] += n


def test_a_number_where_keywords_should_be_takes_no_memory() -> None:
    """`bytes` of the number 200,000,000 would be 200 MB."""
    exif = Image.Exif()
    exif[ExifTags.Base.XPKeywords] = 200_000_000
    tracemalloc.start()
    assert read_keywords(b"", exif) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "piece", ["<dc:title>", "<dc:title", "<dc:title><rdf:li", "<rdf:li>", "<dc:title></rdf:li"]
)
@pytest.mark.parametrize("start", ["", "<dc:title>"])
def test_xmp_without_ends_is_read_in_one_pass(piece: str, start: str) -> None:
    """250 KB of beginnings: to look from each of them for its end takes 10 s and more, one pass 10 ms."""
    packet = "<x:xmpmeta>" + start + piece * (250_000 // len(piece)) + "</x:xmpmeta>"
    started = time.process_time()
    assert read_keywords(packet.encode(), Image.Exif()) is None
    assert time.process_time() - started < 3


@pytest.mark.parametrize("tag", [ExifTags.Base.Model, ExifTags.Base.ImageDescription])
def test_a_text_without_end_is_cut_before_anything_is_done_with_it(tag: ExifTags.Base) -> None:
    """30 million characters, as the EXIF of a PNG may hold; one look at each takes several seconds."""
    exif = Image.Exif()
    exif[tag] = "camera " * 4_000_000
    started = time.process_time()
    facts, words = read_facts(exif), read_keywords(b"", exif)
    assert time.process_time() - started < 0.5
    assert max(len(text) for text in (facts.camera, words) if text) <= 2000
