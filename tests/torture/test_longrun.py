"""A library in use for a long time: nothing it takes grows with what has come and gone.

Round after round photos are indexed, searched and removed, beside an engine that stays open as a server's
does. Linux says what a process holds; elsewhere there is nothing to read it from.
"""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import struct
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEncoder
from tests.torture.conftest import Rounds
from twobranch.indexer.maintenance.vacuum import vacuum
from twobranch.indexer.update.library import update_library
from twobranch.indexer.update.run import Effort
from twobranch.retrieval.engine import SearchEngine

PROC = Path("/proc/self")
SEARCHES = 20  # a round, with each engine
ROOT = Path(__file__).parent.parent.parent
WARM_UP = 2  # rounds until all is imported, and every cache and pool has its size

MB = 1 << 20
# Over a whole run. Python's allocator gives whole arenas back, of 1 MB since 3.10, and malloc keeps what it
# likes at the end of the heap: 16 MB is noise, and of 100,000 photos 170 bytes each.
MOST_RSS = 16 * MB
# Of 240 photos, of what this program's own lines have allocated and kept: half of what their pixels take.
# What others keep has a bound of theirs, but one of minutes: sqlite3 its statements and cursors, SQLAlchemy
# the last 100 statements of each table, with the engine that each was compiled for.
MOST_TRACED = 24_000
OURS = [tracemalloc.Filter(True, f"{ROOT}/{package}/*") for package in ("embedding", "indexer", "retrieval")]
# Of SQLite's pages: larger ids take more bytes, and a b-tree of one row more may need another page.
MOST_DISK = 8 * 4096
# Between medians of a third of the rounds, in seconds of this process: others may be at work on the machine.
# The gallery has the same size in every round; caches that are cold or shared make up to half as much again.
# What grows with the rounds (a list that is looked through, rows that are kept) does so tenfold.
SLOWER, AND_SECONDS = 2.0, 0.002


@dataclass(frozen=True)
class Measured:
    """What the process and the library hold at the end of a round, and how long its searches took."""

    rss: int  # bytes
    descriptors: int
    threads: int
    disk: int  # bytes of the library folder, after `vacuum`
    kept: float  # seconds, median of the searches with the engine that stays open
    fresh: float  # of those with an engine that is opened and closed again


def bmp(color: int) -> bytes:
    """An 8x8 picture of one colour, of which there are 2**24."""
    header = struct.pack("<2sIHHI", b"BM", 54 + 192, 0, 0, 54)
    return (
        header
        + struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 24, 0, 192, 0, 0, 0, 0)
        + 64 * struct.pack("<I", color)[:3]
    )


def write_photos(folder: Path, colors: range) -> None:
    for start in range(colors.start, colors.stop, 1000):
        part = folder / str(start)
        part.mkdir(parents=True)
        for color in range(start, min(start + 1000, colors.stop)):
            (part / f"{color}.bmp").write_bytes(bmp(color))


@pytest.fixture
def traced() -> Iterator[None]:
    """Every allocation of Python and NumPy is noted in the test, with the line that made it."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def kept_by_our_lines() -> int:
    """The bytes that this program's lines have allocated and that are in use."""
    gc.collect()
    allocations = tracemalloc.take_snapshot().filter_traces(OURS)
    return sum(one.size for one in allocations.statistics("filename"))


class Loop:
    """One library, and an engine that stays open over all that happens to it."""

    def __init__(self, place: Path, photos: int) -> None:
        self.place, self.n = place, photos
        self.folder, self.library = place / "photos", place / ".twobranch"
        self.encoder = FakeEncoder()
        self.colors = 1
        (self.folder).mkdir()
        (self.folder / "keep.bmp").write_bytes(bmp(0xFF0000))  # red; an empty folder would lose nothing
        self.index()
        self.engine = self.open()
        self.searched(self.engine, 1)
        self.disk = vacuum(self.library).after  # bytes, with one photo in the library

    def open(self) -> SearchEngine:
        return SearchEngine.open(self.library, load=lambda model: self.encoder)  # type: ignore[arg-type,return-value]

    def index(self) -> tuple[int, int]:
        effort = Effort(workers=2, batch_size=32, transaction=256)
        report = update_library(self.library, [self.folder], self.encoder, effort=effort)
        return report.added, report.removed

    def round(self) -> Measured:
        """Photos come, are looked for and go; every step is checked."""
        colors = range(self.colors, self.colors + self.n)
        self.colors += self.n
        write_photos(self.folder, colors)
        assert self.index() == (self.n, 0)
        kept = [self.searched(self.engine, self.n + 1) for _ in range(SEARCHES)]
        fresh = []
        for _ in range(SEARCHES):
            started = time.process_time()
            with self.open() as engine:
                self.searched(engine, self.n + 1)
            fresh.append(time.process_time() - started)
        for part in self.folder.iterdir():
            if part.is_dir():
                shutil.rmtree(part)
        assert self.index() == (0, self.n)
        self.searched(self.engine, 1)
        disk = vacuum(self.library).after
        gc.collect()
        rss = int((PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Measured(
            rss,
            len(list((PROC / "fd").iterdir())),
            threading.active_count(),
            disk,
            statistics.median(kept),
            statistics.median(fresh),
        )

    def searched(self, engine: SearchEngine, photos: int) -> float:
        """The seconds that a search took; it saw so many photos, and found the one that is red."""
        started = time.process_time()
        engine.refresh()
        hits = engine.search("red", top=3, ranking="visual")
        seconds = time.process_time() - started
        assert len(engine.index("images")) == photos
        assert hits[0].path == self.folder / "keep.bmp"
        assert np.isclose(hits[0].score or 0, 1, atol=1e-3)
        return seconds


def thirds(values: Sequence[float]) -> tuple[float, float]:
    """The medians of the first and of the last third."""
    n = max(1, len(values) // 3)
    return statistics.median(values[:n]), statistics.median(values[-n:])


@pytest.mark.skipif(not (PROC / "statm").exists(), reason="what a process holds is read from Linux's /proc")
def test_nothing_grows_with_what_has_come_and_gone(
    tmp_path: Path, rounds: Rounds, tally: Counter[str]
) -> None:
    loop = Loop(tmp_path, photos=rounds(short=60, long=5000))
    for _ in range(WARM_UP):
        loop.round()
    measured = [loop.round() for _ in range(rounds(short=6, long=20))]
    loop.engine.close()

    assert {one.descriptors for one in measured} == {measured[0].descriptors}
    assert {one.threads for one in measured} == {measured[0].threads}
    assert max(one.disk for one in measured) - loop.disk <= MOST_DISK, (loop.disk, measured)
    before, after = thirds([one.rss for one in measured])
    assert after - before <= MOST_RSS, [one.rss // MB for one in measured]
    for searches in ([one.kept for one in measured], [one.fresh for one in measured]):
        before, after = thirds(searches)
        assert after <= SLOWER * before + AND_SECONDS, searches
    tally["photos indexed, searched and removed, with nothing left behind"] += loop.colors - 1
    tally["engines opened and closed"] += SEARCHES * (len(measured) + WARM_UP)


@pytest.mark.skipif(not (PROC / "statm").exists(), reason="what a process holds is read from Linux's /proc")
def test_no_allocation_stays_behind(tmp_path: Path, traced: None) -> None:
    """The same with a finer measure, which is too slow for long."""
    loop = Loop(tmp_path, photos=60)
    for _ in range(WARM_UP):
        loop.round()
    held = [kept_by_our_lines()]
    for _ in range(4):
        loop.round()
        held.append(kept_by_our_lines())
    loop.engine.close()
    assert held[-1] - held[0] <= MOST_TRACED, held
