"""A disk that loses bits, sectors and ends of files: noticed, mended, and nothing wrong after."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.fakes import FakeEncoder, write_photos
from tests.indexing import write_captions
from tests.torture.conftest import Rounds
from tests.torture.zygote import Zygote
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.maintenance.doctor import examine
from twobranch.indexer.update.library import update_library
from twobranch.indexer.vectors import index as galleries
from twobranch.indexer.vectors.mapped_file import read_vectors

N = 80
# The words are made anew by the next `index`; a schema version may say anything.
ADVICE = ("`doctor", "the words of its photos are damaged", "update twobranch")
HEADER = 128  # bytes of a vector file before its rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 80 photos, a caption for each, and their library."""
    place = tmp_path_factory.mktemp("stores")
    names = {f"{n % 3}/{n:02}.png": (3 * n, 250 - 3 * n, 100) for n in range(N)}
    write_photos(place / "photos", names)
    write_captions(place / "c.csv", {name: f"a red thing called {name}" for name in names})
    bring_up_to_date(place / ".twobranch")
    return place


def bring_up_to_date(library: Path) -> None:
    photos = library.parent / "photos"
    update_library(library, [photos], FakeEncoder(), captions=library.parent / "c.csv")


@pytest.fixture
def damaged(place: Path) -> Path:
    """A copy of the library, to be damaged."""
    copy = place / "damaged"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(place / ".twobranch", copy)
    return copy


def vectors(library: Path) -> dict[str, bytes]:
    """The vector of each photo by its path, as the catalogue has it."""
    query = "SELECT i.path, v.vector FROM images i JOIN image_vectors v ON v.image_id = i.id"
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        return dict(connection.execute(query))


def damage(path: Path, data: bytes) -> None:
    """Puts other bytes into a file without touching its time, as a failing disk does."""
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# --- index files -------------------------------------------------------------------------------------


def test_every_byte_of_an_index_file_counts(
    place: Path, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    """Of the header in the long form each bit, of the rest a sample; and files cut anywhere."""
    path = place / ".twobranch" / "images-1.vectors"
    good = path.read_bytes()
    copy = place / "copy.vectors"
    shutil.copy2(path, copy)
    used = [at for at in range(len(good)) if not 64 <= at < HEADER]  # the header is shorter than its place
    every = [(at, 1 << bit) for at in used if at < HEADER for bit in range(8)]
    flips = every if rounds.is_long else random.sample(every, 60)
    flips += [(random.choice(used), random.randint(1, 255)) for _ in range(rounds(short=100, long=5000))]
    for at, bits in flips:
        bad = bytearray(good)
        bad[at] ^= bits
        damage(copy, bad)
        assert read_vectors(copy, verify=True) is None, (at, bits)
    for _ in range(cuts := rounds(short=20, long=500)):
        damage(copy, good[: random.randrange(len(good))])
        assert read_vectors(copy) is None  # which a search notices
    tally["flipped bytes of index files noticed"] += len(flips)
    tally["cut index files noticed"] += cuts


@pytest.mark.parametrize("name", ["images-1.vectors", "images-1.ivf", "images-1.ivf.json"])
def test_index_makes_a_damaged_index_file_again(
    place: Path,
    damaged: Path,
    name: str,
    rounds: Rounds,
    random: Random,
    tally: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if ".ivf" in name:
        monkeypatch.setattr(galleries, "LARGE", 20)
    bring_up_to_date(damaged)
    path = damaged / name
    good = path.read_bytes()
    content = slice(HEADER, None) if name.endswith("vectors") else slice(0, None)  # beside the header's time
    for _ in range(n := rounds(short=3, long=200)):
        bad = bytearray(good)
        bad[random.choice(range(len(good))[content])] ^= 1 << random.randrange(8)
        damage(path, bad if random.random() < 0.8 else bad[: random.randrange(len(bad))])
        bring_up_to_date(damaged)
        if not name.endswith("json"):  # which has the time of the lists
            assert path.read_bytes()[content] == good[content]
        assert not [one for one in examine(damaged) if one.part == "index of images" and not one.fine]
    tally["index files damaged and made again"] += n


# --- the catalogue -----------------------------------------------------------------------------------


def spoil(random: Random, good: bytes) -> tuple[str, bytes]:
    """The catalogue's file with some of the damage that disks do, and what it is called."""
    data = bytearray(good)
    kind = random.choice(("bits", "lost sector", "garbled sector", "lost page", "cut", "header"))
    if kind == "bits":
        # In the bookkeeping of pages, the first 16 bytes of each: a bit in a text or number is another one.
        flips = random.choice((1, 5, 20))
        kind = "a bit" if flips == 1 else f"{flips} bits"
        for _ in range(flips):
            page = random.randrange(len(data) // 16384) * 16384
            data[page + (100 if page == 0 else 0) + random.randrange(16)] ^= 1 << random.randrange(8)
    elif kind.endswith("sector"):
        at = random.randrange(len(data) // 512) * 512
        data[at : at + 512] = bytes(512) if kind == "lost sector" else random.randbytes(512)
    elif kind == "lost page":
        at = random.randrange(len(data) // 16384) * 16384
        data[at : at + 16384] = bytes(16384)
    elif kind == "cut":
        del data[random.randrange(1, len(data)) :]
    else:
        data[random.randrange(100)] ^= 1 << random.randrange(8)
    return kind, bytes(data)


def test_a_damaged_catalogue_is_salvaged_and_the_next_index_completes_it(
    place: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    """Whatever the damage: one line that says what to do, or it works; after `doctor --repair` and `index`
    every photo has its own vector, and those that could be saved were not encoded again."""
    original = place / ".twobranch"
    good, right = (original / CATALOG).read_bytes(), vectors(original)
    library = place / "damaged"
    for _ in range(rounds(short=12, long=400)):
        shutil.rmtree(library, ignore_errors=True)
        shutil.copytree(original, library)
        kind, data = spoil(random, good)
        (library / CATALOG).write_bytes(data)
        noticed = False
        for command in (("status",), ("search", "red"), ("search", "--in", "captions", "red")):
            ended = zygote.run("--library", library, *command, cwd=place)
            if ended.code != 0:
                noticed = True
                said = ended.complaint()
                assert any(text in said for text in ADVICE), said
        try:
            findings = examine(library, repair=True)
        except LibraryError as error:
            if "update twobranch" in str(error):  # a bit flipped in the schema version: who can know
                assert "bit" in kind or kind == "header"
                tally[f"catalogue, {kind}: taken for a newer one and refused"] += 1
                continue
            assert "delete the library folder" in str(error)
            # The second page has the first rows; and so many bits can hit the first page of every table.
            assert (kind == "cut" and len(data) < 2 * 16384) or kind == "20 bits"
            tally[f"catalogue, {kind}: nothing left"] += 1
            continue
        mended = any(one.done for one in findings if one.part == "catalogue")
        if mended and any("saved" in (one.done or "") for one in findings):
            assert (library / f"{CATALOG}.damaged-1").exists()
        bring_up_to_date(library)
        assert vectors(library) == right
        assert [one.part for one in examine(library) if not one.fine] == ["model"]  # a fake one
        tally[f"catalogue, {kind}: {'mended' if mended else 'no harm' if not noticed else 'noticed'}"] += 1
