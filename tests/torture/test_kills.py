"""Killed at any moment, at every commit, before and after every file that is replaced: nothing is lost."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.fakes import write_photo
from tests.torture.conftest import Rounds
from tests.torture.place import Place
from tests.torture.zygote import KILLED, TRANSACTION, Zygote
from tests.waiting import wait_for

INDEX = ("index", "photos", "--captions", "captions.csv", "--json")
AGAIN = ("index", "photos", "--captions", "again.csv", "--json")


@dataclass(frozen=True)
class Story:
    """A command, and what is done to the photos of an indexed library before it."""

    argv: Sequence[str]
    before: Callable[[Place], None] | None = None  # None: there is no library yet
    how: dict[str, Any] | None = None


def nothing(place: Place) -> None:
    pass


def much(place: Place) -> None:
    """Of everything that can change, something."""
    write_photo(place.photos / "0/0.png", (1, 2, 3))
    (place.photos / "1/1.png").rename(place.photos / "moved.png")
    (place.photos / "0/2.png").unlink()
    shutil.copy(place.photos / "1/3.png", place.photos / "copy.png")
    for number in range(2 * TRANSACTION):
        write_photo(place.photos / f"new/{number}.png", (number, 255 - number, 77))
    write_photo(place.photos / "damaged.png", (9, 8, 7))
    (place.photos / "1/5.png").write_bytes(b"no photo")
    place.captions.write_text(place.captions.read_text() + "new/1.png,a green photo\n")


def said_again(place: Place) -> None:
    """Another file says the same of the photos, and the first one says it of one photo less."""
    lines = place.captions.read_text().splitlines(keepends=True)
    (place.folder / "again.csv").write_text("".join(lines))
    place.captions.write_text("".join(lines[:-1]))


STORIES = {
    "the first index": Story(INDEX),
    "index after changes": Story(INDEX, much),
    "index with another model": Story(INDEX, nothing, {"fingerprint": "fake-2"}),
    "index of another caption file": Story(AGAIN, said_again),
    "index of a large gallery": Story(INDEX, much, {"large": 8}),
}


@pytest.mark.parametrize("name", STORIES)
def test_dying_at_every_point(
    name: str, tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    story = STORIES[name]
    how = story.how or {}
    fingerprint = how.get("fingerprint", "fake-1")
    place = Place.make(tmp_path, 20, random)
    if story.before is not None:
        zygote.run(*INDEX, cwd=tmp_path).check()
        story.before(place)
    place.keep()
    place.encoded()
    zygote.run(*story.argv, cwd=tmp_path, action="die", **how).check()
    whole = place.committed(fingerprint)
    place.encoded()
    place.check()
    points = range(1, place.points() + 1)
    for point in points if rounds.is_long else sorted(random.sample(points, 8)):
        place.restore()
        assert zygote.run(*story.argv, cwd=tmp_path, action="die", at=point, **how).code == 137
        place.check()
        first, kept = place.encoded(), place.committed(fingerprint)
        for partial in place.library.glob("*.part"):
            os.utime(partial, (1, 1))  # an hour has passed
        zygote.run(*story.argv, cwd=tmp_path, **how).check()
        second = place.encoded()
        assert not kept & set(second), f"encoded again after point {point}"
        # What was encoded in vain is no more than what was under way: a batch being written and the next
        # being encoded, or the captions of one commit.
        twice = [one for one in first if one in whole and one in second]
        assert len(twice) <= max(2 * TRANSACTION, 21), (point, first, second)
        place.check()
        assert place.committed(fingerprint) == whole
        assert not list(place.library.glob("*.part")), f"left after point {point}"
        tally["death at a commit or a file's replacement"] += 1


def test_sigkill_at_random_moments(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    place = Place.make(tmp_path, 60, random)
    for _ in range(rounds(short=1, long=100)):
        shutil.rmtree(place.library, ignore_errors=True)
        place.encoded()
        kept: set[str] = set()
        for _ in range(8):
            running = zygote.start(*INDEX, cwd=tmp_path, slow=0.002)
            time.sleep(random.uniform(0, 0.25))
            running.kill()
            ended = running.wait()
            assert ended.code in (0, KILLED), ended
            assert not kept & set(place.encoded())
            place.check()
            now = place.committed()
            assert kept <= now
            kept = now
            tally["SIGKILL at a random moment of `index`"] += ended.code == KILLED
        zygote.run(*INDEX, cwd=tmp_path).check()
        assert not kept & set(place.encoded())
        assert len(place.committed()) == 60 + 60


# What is done, and what is said when it is done already.
EITHER = {
    "forget": (("forget", "photos/0"), "has nothing of it"),
    "forget of captions": (("forget", "captions.csv"), "has nothing of it"),
    "relocate": (("relocate", "photos", "elsewhere"), "not a folder of this library"),
    "vacuum": (("vacuum",), ""),
}


@pytest.mark.parametrize("name", EITHER)
def test_what_is_one_step_is_done_or_not(
    name: str, tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    place = Place.make(tmp_path, 12, random)
    shutil.copytree(place.photos, tmp_path / "elsewhere")
    zygote.run(*INDEX, cwd=tmp_path).check()
    if name == "forget of captions":  # some of which stay
        said_again(place)
        zygote.run(*AGAIN, cwd=tmp_path).check()
    (place.library / "images-7.vectors").write_bytes(b"of a model that is gone")
    argv, done = EITHER[name]
    before = place.committed()
    place.keep()
    zygote.run(*argv, cwd=tmp_path, action="die").check()
    after, points = place.committed(), range(1, place.points() + 1)
    for point in points if rounds.is_long else sorted(random.sample(points, min(len(points), 4))):
        place.restore()
        assert zygote.run(*argv, cwd=tmp_path, action="die", at=point).code == 137
        place.check()
        assert place.committed() in (before, after)
        again = zygote.run(*argv, cwd=tmp_path)
        assert again.code == 0 or done in again.complaint()
        place.check()
        assert place.committed() == after
        tally[f"death in `{name}`"] += 1


def test_a_watcher_that_is_killed_is_started_again(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    pytest.importorskip("watchfiles")
    place = Place.make(tmp_path, 4, random)
    zygote.run(*INDEX, cwd=tmp_path).check()
    kept = place.committed()
    place.encoded()
    for number in range(rounds(short=3, long=80)):
        # What a killed watcher did not get to, the next one begins with.
        for i in range(10):
            write_photo(place.photos / f"round {number}/{i}.png", (number, 10 * i, random.randrange(256)))
        running = zygote.start("watch", cwd=tmp_path, slow=0.01)
        time.sleep(random.uniform(0, 0.4))
        running.kill()
        assert running.wait().code == KILLED
        assert not kept & set(place.encoded())
        place.check()
        kept = place.committed()
        tally["SIGKILL of `watch`"] += 1
    running = zygote.start("watch", cwd=tmp_path)
    wait_for(lambda: len(place.committed()) >= place.n_photos + 4 or not running.running())
    assert running.running(), running.said()
    assert not kept & set(place.encoded())
    place.check()
    running.stop()
    running.wait().check()


def test_ctrl_c_ends_a_watch_however_often_it_is_pressed(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random
) -> None:
    pytest.importorskip("watchfiles")
    place = Place.make(tmp_path, 4, random)
    zygote.run(*INDEX, cwd=tmp_path).check()
    for _ in range(rounds(short=2, long=40)):
        running = zygote.start("watch", cwd=tmp_path)
        wait_for(lambda running=running: "Ctrl-C ends it" in running.said())  # type: ignore[misc]
        running.stop(times=1000)
        assert running.wait().check().out.endswith(" refreshes: 0 added, 0 updated, 0 moved, 0 removed\n")
        place.check()
