"""What is new, changed, gone or out of reach; and that `status` says what the next `index` does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Container
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from stat import S_ISDIR
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import counts, images, index, write_captions
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.disk.rules import EVERYTHING, Rules
from twobranch.indexer.disk.walk import FoundFile
from twobranch.indexer.maintenance.relocate import forget
from twobranch.indexer.update.changes import Changes, count_changes
from twobranch.indexer.update.compare import (
    Found,
    KnownCaptions,
    KnownPhoto,
    Plan,
    ToRead,
    compare,
    compare_captions,
    moved_photo,
)
from twobranch.indexer.update.library import update_library

NOTHING = Changes(0, 0, 0, 0, 0)


def files(*paths: str) -> dict[str, FoundFile]:
    """Files of 1 byte, of time 1."""
    return {path: FoundFile(path, 1, 1) for path in paths}


def photo(path: str, id: int = 1, time: int = 1, failure: str | None = None) -> KnownPhoto:
    return KnownPhoto(id, path, 1, time, failure, b"hash")


def plan(found: Found, *rows: KnownPhoto, rules: Rules = EVERYTHING, present: Container[str] = ()) -> Plan:
    return compare([found], rows, rules, present)


def test_a_file_is_new_changed_or_neither() -> None:
    known, touched = photo("a.jpg"), photo("b.jpg", time=2)
    result = plan(Found(files("a.jpg", "b.jpg", "c.jpg")), known, touched)
    new = FoundFile("c.jpg", 1, 1)
    assert result == Plan((ToRead(FoundFile("b.jpg", 1, 1), touched), ToRead(new)), 1, (), 0)
    assert (result.new, result.changed) == (1, 1)


def test_a_photo_that_failed_is_read_again_and_has_not_changed() -> None:
    failed = photo("a.jpg", failure="truncated")
    result = plan(Found(files("a.jpg")), failed)
    assert [one.photo for one in result.read] == [failed]
    assert (result.changed, result.unchanged) == (0, 0)


def test_a_photo_that_is_not_found_is_gone() -> None:
    assert plan(Found({}), photo("a.jpg", 7)).gone == (7,)


def test_a_photo_outside_of_what_was_scanned_is_left_alone() -> None:
    assert plan(Found({}, below="a"), photo("ab/c.jpg")) == Plan((), 0, (), 0)


def test_a_photo_in_a_folder_out_of_reach_stays() -> None:
    found = Found({}, unreadable=["a"])
    assert plan(found, photo("a/b/c.jpg"), photo("ab.jpg", 2)) == Plan((), 0, (2,), 1)
    excluded = Rules(exclude={"": ["b"]})
    assert plan(found, photo("a/b/c.jpg"), rules=excluded).unreachable == 1


def test_a_hidden_photo_that_was_indexed_by_its_name_stays_while_it_is_there() -> None:
    hidden = photo(".h/a.jpg")
    assert plan(Found({}), hidden, present={".h/a.jpg"}).gone == ()
    assert plan(Found({}), hidden).gone == (1,)
    assert plan(Found({}, drop_hidden=True), hidden, present={".h/a.jpg"}).gone == (1,)
    assert plan(Found({}, below=".h"), hidden, present={".h/a.jpg"}).gone == (1,)  # the scan came there


def test_an_excluded_or_forgotten_photo_is_gone_though_it_is_there() -> None:
    for rules in (Rules(exclude={"": ["raw"]}), Rules(forgotten=frozenset({"raw"}))):
        assert plan(Found({}), photo("raw/a.jpg"), rules=rules, present={"raw/a.jpg"}).gone == (1,)


def test_a_photo_of_another_split_goes_when_it_was_deleted() -> None:
    of_split = Found({}, only={"a.jpg"})
    assert plan(of_split, photo("b.jpg"), present={"b.jpg"}).gone == ()
    assert plan(of_split, photo("b.jpg")).gone == (1,)
    assert plan(of_split, photo("a.jpg"), present={"a.jpg"}).gone == (1,)  # not to be found, so no photo


def test_a_run_for_a_split_leaves_other_photos_alone() -> None:
    assert plan(Found({}, only={"a.jpg"}, leave_others=True), photo("b.jpg"), photo("a.jpg", 2)).gone == (2,)


def test_a_photo_without_the_extra_of_its_kind_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "twobranch.indexer.update.compare.missing_extra", lambda path: "raw" if path.endswith("nef") else None
    )
    assert plan(Found({}), photo("a.nef"), present={"a.nef"}).gone == ()
    assert plan(Found({}), photo("a.nef")).gone == (1,)


def test_what_one_of_several_scans_found_is_there() -> None:
    dev, test = Found(files("a.jpg"), only={"a.jpg"}), Found(files("b.jpg"), only={"b.jpg"})
    rows = [photo("a.jpg"), photo("b.jpg", 2), photo("c.jpg", 3)]
    assert compare([dev, test], rows, EVERYTHING) == Plan((), 2, (3,), 0)
    hidden = Found(files(".h/a.jpg"), below=".h")
    assert compare([Found({}, drop_hidden=True), hidden], [photo(".h/a.jpg")], EVERYTHING).unchanged == 1


def test_a_new_file_is_the_first_photo_with_its_content_that_is_not_where_it_was() -> None:
    assert moved_photo([1, 2, 3], gone={3}, is_missing={2}.__contains__) == 2
    assert moved_photo([1, 2, 3], gone={1}, is_missing=lambda id: False) == 1
    assert moved_photo([1, 2], gone=(), is_missing=lambda id: False) is None


def test_a_caption_file_is_read_again_when_it_was_written_to() -> None:
    rows = [
        KnownCaptions("/same.csv", "csv", None, 5, 1),
        KnownCaptions("/written.csv", "csv", None, 5, 1),
        KnownCaptions("/photos", "sidecar", None, 5, 1),
        KnownCaptions("/away.csv", "csv", None, 5, 1),
    ]
    found = {"/same.csv": (5, 1), "/written.csv": (6, 1), "/photos": (5, 1), "/away.csv": None}
    result = compare_captions(found, rows)
    assert (result.read, result.unreachable, result.changed) == (tuple(rows[1:3]), (rows[3],), 1)


def test_a_photo_that_left_its_split_and_was_deleted(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    file = photos.parent / "c.csv"
    text = {"red.png": "red", "green.png": "green"}
    write_captions(file, text, {"red.png": "dev", "green.png": "dev"})
    index(library, photos, encoder, captions=file, split="dev")
    write_captions(file, text, {"red.png": "train", "green.png": "dev"})
    index(library, [], encoder)
    assert status(library) == NOTHING
    (photos / "red.png").unlink()
    assert status(library).gone == 1
    assert counts(index(library, [], encoder)) == {"unchanged": 1, "removed": 1}
    assert status(library) == NOTHING


def test_an_empty_root_in_which_another_drive_was_mounted(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both drives are away: the photos of both stay."""
    write_photo(photos / "usb/a.png", "white")
    monkeypatch.setattr("twobranch.indexer.update.library.drives_after", lambda *_: frozenset({"usb"}))
    index(library, photos, encoder)
    photos.rename(photos.parent / "away")
    photos.mkdir()
    assert status(library) == replace(NOTHING, unreachable=4)
    assert counts(index(library, [], encoder)) == {}
    assert len(images(library)) == 4


# --- `status` says n, the next `index` does n ---------------------------------------------------------

FOLDERS = ("one", "one/raw", "one/.hidden", "one/usb", "two", "two/sub")
NAMES = ("a.png", "b.png", ".c.png")
SPLITS = ("dev", "train")

folders = st.sampled_from(FOLDERS)
paths = st.builds("{}/{}".format, folders, st.sampled_from(NAMES))
happenings = st.one_of(
    st.tuples(st.sampled_from(["write", "write", "delete", "spoil"]), paths),
    st.tuples(st.just("move"), paths, paths),
    st.tuples(st.just("put_in_split"), st.sampled_from(NAMES), st.sampled_from(SPLITS)),
    st.tuples(st.just("unplug"), folders, st.booleans()),
    st.tuples(st.sampled_from(["plug_in", "forget", "name", "name_split"]), folders),
    st.tuples(st.just("exclude"), st.sampled_from(["raw", "*/b.png", ""])),
    st.tuples(st.just("show_hidden"), st.booleans()),
    st.tuples(st.just("index_again")),
)


def status(library: Path) -> Changes:
    with closing(Catalog.open(library)) as catalog:
        return count_changes(catalog)


class Disk:
    """Folders of photos, no two of them the same, and a library of them; drives come and go."""

    def __init__(self, top: Path, whole: bool) -> None:
        self.top, self.library, self.captions = top, top / "library", top / "c.csv"
        self.splits = dict.fromkeys(NAMES, "dev")
        self.written = 0
        for path in ("one/a.png", "one/b.png", "one/usb/a.png", "two/b.png"):
            self.write(path)
        self.put_in_split("b.png", "train")
        for folder in ("one", "two"):
            self.name(folder) if whole else self.name_split(folder)

    def touch(self, path: Path) -> None:
        """Give a file a time that none had before: clocks are coarser than this test is fast."""
        self.written += 1
        os.utime(path, (self.written, self.written))

    def write(self, path: str) -> None:
        color = (self.written % 256, self.written // 256, 0)
        self.touch(write_photo(self.top / path, color))

    def spoil(self, path: str) -> None:
        (self.top / path).parent.mkdir(parents=True, exist_ok=True)
        (self.top / path).write_text(f"no photo {self.written}")
        self.touch(self.top / path)

    def delete(self, path: str) -> None:
        (self.top / path).unlink(missing_ok=True)

    def move(self, old: str, new: str) -> None:
        if (self.top / old).exists():
            (self.top / new).parent.mkdir(parents=True, exist_ok=True)
            (self.top / old).replace(self.top / new)

    def put_in_split(self, name: str, split: str) -> None:
        self.splits[name] = split
        names = {**self.splits, "one more.png": "dev"}
        self.touch(write_captions(self.captions, dict.fromkeys(names, "red"), names))

    def unplug(self, folder: str, leaves_mount_point: bool) -> None:
        away = self.top / "away" / folder.replace("/", "-")
        if (self.top / folder).exists() and not away.exists():
            away.parent.mkdir(exist_ok=True)
            (self.top / folder).rename(away)
            if leaves_mount_point:
                (self.top / folder).mkdir()

    def plug_in(self, folder: str) -> None:
        away, here = self.top / "away" / folder.replace("/", "-"), self.top / folder
        if away.exists() and not (here.exists() and any(here.iterdir())):
            here.mkdir(parents=True, exist_ok=True)
            here.rmdir()
            away.rename(here)

    def forget(self, folder: str) -> None:
        with suppress(UserError):
            forget(self.library, [self.top / folder])

    def name(self, folder: str, **options: Any) -> None:
        with suppress(UserError):
            update_library(self.library, [self.top / folder], FakeEncoder(), **options)

    def name_split(self, folder: str) -> None:
        self.name(folder, captions=self.captions, split="dev")

    def exclude(self, glob: str) -> None:
        update_library(self.library, [], FakeEncoder(), exclude=[glob])

    def show_hidden(self, hidden: bool) -> None:
        update_library(self.library, [], FakeEncoder(), include_hidden=hidden)

    def index_again(self) -> None:
        """What `status` says is what `index` does, and then there is nothing more to do."""
        said, before = status(self.library), self.rows()
        report = update_library(self.library, [], FakeEncoder())
        after = self.rows()
        failed = [Path(failure.path).relative_to(self.top).as_posix() for failure in report.failed]
        new = report.added + report.moved + sum(path not in before for path in failed)
        changed = sum(path in before and before[path] != after[path] for path in failed)
        assert said.new == new == len(after.keys() - before.keys())
        assert said.changed == report.updated + changed
        # One that moved was gone from where it was, or that place is out of reach.
        assert report.removed <= said.gone <= report.removed + report.moved
        assert replace(status(self.library), unreachable=0) == NOTHING
        again = update_library(self.library, [], FakeEncoder())
        assert (again.added, again.updated, again.moved, again.removed) == (0, 0, 0, 0)

    def rows(self) -> dict[str, tuple[int, int]]:
        """The sizes and times of all photos that the library has."""
        return {path: (image.size, image.mtime_ns) for path, image in images(self.library).items()}


def mounts(usb: Path) -> Callable[..., os.stat_result]:
    """An ``os.stat`` to which another drive is mounted at a folder as long as anything is in it."""
    real = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        status = real(path, **options)
        if (
            isinstance(path, Path)
            and path.is_relative_to(usb)
            and S_ISDIR(status.st_mode)
            and any(usb.iterdir())
        ):
            fields = list(status)
            fields[2] += 1  # st_dev
            return os.stat_result(fields)
        return status

    return stat


@settings(max_examples=15, deadline=None, database=None, derandomize=True)
@given(whole=st.booleans(), happened=st.lists(happenings, max_size=10))
@example(False, [("put_in_split", "a.png", "train"), ("index_again",), ("delete", "one/a.png")])
@example(True, [("write", "one/.hidden/a.png"), ("name", "one/.hidden"), ("show_hidden", False)])
@example(True, [("unplug", "one", True), ("write", "two/a.png"), ("index_again",), ("plug_in", "one")])
def test_status_says_what_the_next_index_does(whole: bool, happened: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        top = Path(folder).resolve()
        patch.setattr(os, "stat", mounts(top / "one/usb"))
        disk = Disk(top, whole)
        for name, *arguments in happened:
            getattr(disk, name)(*arguments)
        disk.index_again()
