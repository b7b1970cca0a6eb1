"""Disks that are full, read-only or gone: one clear line, nothing damaged, nothing removed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.fakes import write_photo
from tests.indexing import images
from tests.torture.conftest import Rounds
from tests.torture.mounts import enlarge, plug_in, small_disk, unmount
from tests.torture.place import Place
from tests.torture.zygote import Ended, Zygote
from twobranch.retrieval.display.status import library_status

INDEX = ("index", "photos", "--captions", "captions.csv", "--json")
ROOT = Path(__file__).parent.parent.parent


# --- full ---------------------------------------------------------------------------------------------


def says_full(ended: Ended) -> None:
    assert "full; free some space" in ended.complaint() or "No space left" in ended.complaint(), ended


def test_a_disk_of_any_size(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    place = Place.make(tmp_path, 20, random)
    # From no room for the empty catalogue to room for all, in pages.
    for kb in sorted(random.sample(range(4, 2000, 4), rounds(short=4, long=100))):
        with small_disk(place.library, kb):
            ended = zygote.run(*INDEX, cwd=tmp_path)
            if ended.code:
                says_full(ended)
            for command in (("status", "--no-scan"), ("search", "red")):  # may say so, may work
                other = zygote.run(*command, cwd=tmp_path)
                if other.code and "nothing is indexed" not in other.err:
                    says_full(other)
            enlarge(place.library)
            kept = place.committed()
            place.encoded()
            place.check()
            zygote.run(*INDEX, cwd=tmp_path).check()
            assert not kept & set(place.encoded())
            assert len(place.committed()) == 40
            place.check(new=0)
        tally["a disk that was full" if ended.code else "a disk that sufficed"] += 1


def test_a_disk_that_fills_up_at_any_file(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    place = Place.make(tmp_path, 12, random)
    zygote.run(*INDEX, cwd=tmp_path, action="full", large=8).check()
    points = range(1, place.points() + 1)
    for point in points if rounds.is_long else sorted(random.sample(points, 6)):
        place.restore()
        ended = zygote.run(*INDEX, cwd=tmp_path, action="full", at=point, large=8)
        if ended.code:  # a cache file that cannot be written is no error
            says_full(ended)
        place.check()
        zygote.run(*INDEX, cwd=tmp_path, large=8).check()
        assert len(place.committed()) == 24
        place.check(new=0)
        tally["a write that failed for want of space"] += 1


# --- not to be written, not to be read ------------------------------------------------------------------


def test_a_read_only_library_is_searched_and_says_so_to_index(
    tmp_path: Path, zygote: Zygote, random: Random, tally: Counter[str]
) -> None:
    place = Place.make(tmp_path, 8, random)
    zygote.run(*INDEX, cwd=tmp_path).check()
    write_photo(place.photos / "new.png", "white")
    shutil.copytree(place.photos, tmp_path / "elsewhere")
    plug_in(place.library, place.library, read_only=True)
    try:
        for command in (("index",), ("forget", "photos/0"), ("vacuum",), ("relocate", "photos", "elsewhere")):
            assert "read-only" in zygote.run(*command, cwd=tmp_path).complaint()
        assert zygote.run("search", "red", "--json", cwd=tmp_path).check().json["hits"]
        assert zygote.run("status", "--json", cwd=tmp_path).check().json["changes"]["new"] == 1
    finally:
        unmount(place.library)
    zygote.run("index", cwd=tmp_path).check()
    place.check(new=0)
    tally["commands on a read-only library"] += 6


def test_a_place_that_takes_no_library(tmp_path: Path, zygote: Zygote, random: Random) -> None:
    place = Place.make(tmp_path, 2, random)
    plug_in(tmp_path, tmp_path, read_only=True)
    try:
        done = run_alone("index", "photos", cwd=tmp_path)
    finally:
        unmount(tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: {place.library}")


def test_photos_on_a_read_only_disk(tmp_path: Path, zygote: Zygote, random: Random) -> None:
    place = Place.make(tmp_path, 8, random)
    plug_in(place.photos, place.photos, read_only=True)
    try:
        zygote.run(*INDEX, cwd=tmp_path).check()
        place.check(new=0)
    finally:
        unmount(place.photos)


def run_alone(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The real command line, with the shipped model, which obeys permissions though root runs it."""
    command = [sys.executable, str(ROOT / "cli.py"), *argv]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may do everything, and there is no setpriv to change that")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_permission_denied(tmp_path: Path, random: Random, tally: Counter[str]) -> None:
    place = Place.make(tmp_path, 4, random)
    (place.photos / "0/0.png").chmod(0)
    assert run_alone("index", "photos", cwd=tmp_path).returncode == 0
    failed = {Path(fact["path"]).name: fact["reason"] for fact in library_status(place.library)["failed"]}
    assert failed["0.png"] == "permission denied"

    (place.photos / "0/0.png").chmod(0o644)
    (place.photos / "1").chmod(0)  # its photos are out of reach, not gone
    done = run_alone("index", "--json", cwd=tmp_path)
    (place.photos / "1").chmod(0o755)
    assert done.returncode == 0 and f"{place.photos / '1'}: cannot be listed" in done.stderr
    assert json.loads(done.stdout)["removed"] == 0
    assert len(images(place.library)) == 5

    place.library.chmod(0o500)
    (place.library / "catalog.sqlite").chmod(0o400)
    done = run_alone("index", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "read-only" in done.stderr
    place.library.chmod(0)
    done = run_alone("status", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and str(place.library) in done.stderr
    place.library.chmod(0o755)
    tally["permissions denied"] += 4


# --- drives that vanish ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drive:
    """A disk, and where it is mounted while it is plugged in."""

    disk: Path
    mount: Path

    def plug_in(self) -> None:
        plug_in(self.disk, self.mount)

    def pull_out(self) -> None:
        unmount(self.mount)


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    """A drive to be mounted at ``mnt``; nothing is, after the test."""
    one = Drive(tmp_path / ".disk", tmp_path / "mnt")
    with small_disk(one.disk, 1 << 16):
        yield one
        while one.mount.is_mount():
            one.pull_out()


# What is indexed of a drive at mnt/: the drive itself, a folder on it, a folder that it is mounted in.
TARGETS = ("mnt", "mnt/0", ".")


@pytest.mark.parametrize("target", TARGETS)
def test_a_drive_that_vanishes_during_an_index(
    target: str,
    drive: Drive,
    tmp_path: Path,
    zygote: Zygote,
    rounds: Rounds,
    random: Random,
    tally: Counter[str],
) -> None:
    place = Place.make(tmp_path, 16, random)
    shutil.copytree(place.photos, drive.disk, dirs_exist_ok=True)
    shutil.rmtree(place.photos)
    drive.plug_in()
    zygote.run("index", target, cwd=tmp_path).check()
    before = set(images(place.library))
    assert len(before) >= 8
    for number in range(rounds(short=1, long=40)):
        for i in range(8):
            write_photo(drive.disk / f"0/new {number}-{i}.png", (number, i, random.randrange(256)))
        write_photo(drive.disk / "0/0.png", (7, number, random.randrange(256)))
        running = zygote.start("index", target, "--json", cwd=tmp_path, slow=0.02)
        time.sleep(random.uniform(0, 0.3))
        drive.pull_out()
        ended = running.wait()
        if ended.code:  # it had vanished before anything was looked at
            assert "cannot be reached" in ended.complaint() or "no such file" in ended.complaint(), ended
        # None is lost, neither then nor by runs without the drive.
        assert before <= set(images(place.library))
        zygote.run("index", "--json", cwd=tmp_path).check()
        status = zygote.run("status", "--json", cwd=tmp_path).check().json
        assert before <= set(images(place.library)) and status["changes"]["gone"] == 0
        if target == "mnt/0":
            assert [folder["reachable"] for folder in status["folders"]] == [False]
        before = set(images(place.library))
        drive.plug_in()
        report = zygote.run("index", target, "--json", cwd=tmp_path).check().json
        assert report["removed"] == 0
        place.check(new=0)
        before = set(images(place.library))
        tally["a drive pulled out during an `index`"] += 1
    (drive.disk / "0/2.png").unlink()  # and what is really gone goes
    assert zygote.run("index", "--json", cwd=tmp_path).check().json["removed"] == 1


def test_the_drive_of_the_library_vanishes_during_an_index(
    drive: Drive, tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    Place.make(tmp_path, 24, random)
    for _ in range(rounds(short=1, long=40)):
        drive.plug_in()
        running = zygote.start("--library", "mnt/library", *INDEX, cwd=tmp_path, slow=0.01)
        time.sleep(random.uniform(0, 0.3))
        drive.pull_out()
        ended = running.wait()
        if ended.code:
            ended.complaint()
        shutil.rmtree(drive.mount / "library", ignore_errors=True)  # begun anew without the drive
        drive.plug_in()
        zygote.run("--library", "mnt/library", *INDEX, cwd=tmp_path).check()
        status = zygote.run("--library", "mnt/library", "status", "--json", cwd=tmp_path).check().json
        assert (status["searchable_photos"], status["searchable_captions"]) == (24, 24)
        drive.pull_out()
        shutil.rmtree(drive.disk / "library")
        tally["the library's own drive pulled out"] += 1
