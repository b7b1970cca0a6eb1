"""Several commands at once on one library: each does its work or says who is in its way, nothing is lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.fakes import FakeEncoder, write_photo
from tests.torture.conftest import Rounds
from tests.torture.place import Place
from tests.torture.zygote import Ended, Started, Zygote
from tests.waiting import wait_for
from twobranch.indexer.catalog.connection import CATALOG

INDEX = ("index", "photos", "--captions", "captions.csv", "--json")


def wait_until(running: Started, condition: Callable[[], bool]) -> None:
    """Until something is so, which a command must bring about before it ends."""

    def look() -> bool:
        assert running.running()
        return condition()

    wait_for(look)


def wait_until_held(place: Place, running: Started) -> None:
    """Until a command holds the library."""
    wait_until(running, (place.library / "index.lock.json").exists)


def wait_until_said(running: Started, text: str) -> None:
    wait_until(running, lambda: text in running.said())


def no_lock_shows(ended: Ended) -> Ended:
    assert "database is locked" not in ended.err, ended
    return ended


def test_several_make_one_library(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    place = Place.make(tmp_path, 8, random)
    for _ in range(rounds(short=3, long=60)):
        shutil.rmtree(place.library, ignore_errors=True)
        place.encoded()
        every = [zygote.start(*INDEX, cwd=tmp_path, patience=60) for _ in range(4)]
        reports = [no_lock_shows(one.wait()).check().json for one in every]
        assert sum(report["added"] for report in reports) == 8
        assert sorted(place.encoded()) == sorted(place.committed())  # each once
        place.check(new=0)
        tally["four `index` at once on a new library"] += 1


def test_searches_beside_an_index(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    place = Place.make(tmp_path, 40, random)
    fake = FakeEncoder()
    (red,) = fake.encode_texts(["red"])
    counts = set()
    zygote.run("index", "photos/damaged.png", cwd=tmp_path).check(code=1)  # nothing else was named
    for number in range(rounds(short=1, long=25)):
        running = zygote.start(*INDEX, cwd=tmp_path, slow=0.03)
        searches = 0
        while running.running():
            found = no_lock_shows(zygote.run("search", "red", "-k", "99", "--json", cwd=tmp_path)).check()
            hits = found.json["hits"]
            counts.add(len(hits))
            for hit in hits:  # also of a library that is half done
                assert hit["score"] == pytest.approx(
                    float(fake.encode_images([hit["path"]])[0] @ red), abs=1e-4
                )
            searches += 1
        no_lock_shows(running.wait()).check()
        tally["searches beside an `index`"] += searches
        for i in range(20):
            write_photo(place.photos / f"{number}-{i}.png", (number, i, random.randrange(256)))
    assert len(counts) > 1  # there were such
    place.check()


@pytest.mark.parametrize(
    ("work", "argv"),
    {
        "index": ("index", "photos"),
        "forget": ("forget", "photos/0"),
        "relocate": ("relocate", "photos", "elsewhere"),
        "vacuum": ("vacuum",),
    }.items(),
)
def test_who_comes_second_waits_and_then_says_who_is_there(
    work: str,
    argv: tuple[str, ...],
    tmp_path: Path,
    zygote: Zygote,
    rounds: Rounds,
    random: Random,
    tally: Counter[str],
) -> None:
    place = Place.make(tmp_path, 12, random)
    shutil.copytree(place.photos, tmp_path / "elsewhere")
    zygote.run(*INDEX, cwd=tmp_path).check()
    place.keep()
    for _ in range(rounds(short=1, long=25)):
        place.restore()
        for i in range(12):
            write_photo(place.photos / f"new/{i}.png", (200, i, random.randrange(256)))
        first = zygote.start(*INDEX, cwd=tmp_path, slow=0.1)
        wait_until_held(place, first)
        first.pause()
        told = no_lock_shows(zygote.run(*argv, cwd=tmp_path, patience=0)).complaint()
        # Once in a hundred times the pause comes while SQLite itself takes a lock, and that is what is told.
        who = f"another `index` is at work on it (process {first.pid}, since"
        assert who in told or "another program is writing to it" in told
        second = zygote.start(*argv, cwd=tmp_path, patience=60)
        if work == "index":
            wait_until_said(second, "waiting for up to 60 seconds")
        first.go_on()
        no_lock_shows(first.wait()).check()
        no_lock_shows(second.wait()).check()
        place.check()
        tally[f"`{work}` during `index`"] += 1
    rows = sqlite3.connect(place.library / CATALOG)
    with closing(rows):
        roots = {path for (path,) in rows.execute("SELECT path FROM roots")}
        paths = {path for (path,) in rows.execute("SELECT path FROM images")}
    assert roots == {str(tmp_path / ("elsewhere" if work == "relocate" else "photos"))}
    assert len([path for path in paths if path.startswith("new/")]) == 12  # what the first one did
    assert any(path.startswith("0/") for path in paths) == (work != "forget")


def test_a_dead_process_never_blocks(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    place = Place.make(tmp_path, 20, random)
    for _ in range(rounds(short=3, long=100)):
        shutil.rmtree(place.library, ignore_errors=True)
        first = zygote.start(*INDEX, cwd=tmp_path, slow=0.2)
        wait_until_held(place, first)
        first.kill()
        first.wait()
        assert (place.library / "index.lock.json").exists()  # as it was left
        zygote.run(*INDEX, cwd=tmp_path, patience=0).check()
        tally["a lock whose holder was killed"] += 1


def test_another_model_beside_a_watcher_stays(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    """The watcher has chosen its encoder and waits, while `index --model` changes the library."""
    place = Place.make(tmp_path, 12, random)
    zygote.run(*INDEX, cwd=tmp_path).check()
    for number in range(rounds(short=1, long=20)):
        old, new = f"fake-{number + 1}", f"fake-{number + 2}"
        first = zygote.start("index", "--model", "new", cwd=tmp_path, slow=0.1, fingerprint=new)
        wait_until_held(place, first)
        first.pause()
        second = zygote.start("index", cwd=tmp_path, patience=60, fingerprint=old)
        wait_until_said(second, "waiting for")
        first.go_on()
        first.wait().check()
        assert "another `index` has changed it to fake meanwhile" in second.wait().complaint()
        assert place.committed(new) and not place.committed(old)
        tally["a model changed while another `index` waited"] += 1


def test_a_watcher_beside_everything_else(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    pytest.importorskip("watchfiles")
    place = Place.make(tmp_path, 8, random)
    zygote.run(*INDEX, cwd=tmp_path).check()
    watcher = zygote.start("watch", "--json", cwd=tmp_path, slow=0.02)
    for number in range(rounds(short=2, long=40)):
        for i in range(4):
            write_photo(place.photos / f"round {number}/{i}.png", (number, i, random.randrange(256)))
        for argv in (
            ("index",),
            ("forget", "photos/0/0.png"),
            ("index", "photos/0/0.png"),
            ("vacuum",),
            ("status",),
        ):
            no_lock_shows(zygote.run(*argv, cwd=tmp_path, patience=60)).check()
            tally["commands beside a `watch`"] += 1
    wait_for(lambda: not place.unknown())
    place.check(new=0)
    watcher.stop()
    no_lock_shows(watcher.wait()).check()
