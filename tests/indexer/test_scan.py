from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.fakes import deny_listing, write_photo
from twobranch.indexer.disk.rules import Rules
from twobranch.indexer.disk.walk import FoundFile, scan


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_photos_are_found_by_their_suffix_at_every_depth(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "B.JPEG", tmp_path / "sub/deep/c.Png")
    touch(tmp_path / "notes.txt", tmp_path / "jpg", tmp_path / "a.jpg.part")
    found = scan(tmp_path)
    assert list(found.files) == ["B.JPEG", "a.jpg", "sub/deep/c.Png"]
    assert found.unreadable == ()


def test_size_and_time_come_with_the_path(tmp_path: Path) -> None:
    path = write_photo(tmp_path / "a.png", "red")
    os.utime(path, ns=(1, 1_234_567_891))
    assert scan(tmp_path).files == {"a.png": FoundFile("a.png", path.stat().st_size, 1_234_567_891)}


def test_only_what_lies_below_is_looked_at(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "sub/b.jpg", tmp_path / "sub/deep/c.jpg", tmp_path / "subway/d.jpg")
    assert list(scan(tmp_path, "sub").files) == ["sub/b.jpg", "sub/deep/c.jpg"]


def test_hidden_and_generated_files_are_skipped(tmp_path: Path) -> None:
    touch(tmp_path / "._a.jpg", tmp_path / ".hidden.jpg", tmp_path / ".twobranch/t.jpg")
    touch(tmp_path / "@eaDir/a.jpg", tmp_path / "node_modules/pkg/logo.png", tmp_path / "a.jpg")
    assert list(scan(tmp_path).files) == ["a.jpg"]


def test_links_to_folders_are_not_followed_and_links_to_files_are(tmp_path: Path) -> None:
    touch(tmp_path / "sub/a.jpg")
    (tmp_path / "sub/loop").symlink_to(tmp_path)
    (tmp_path / "loop.jpg").symlink_to(tmp_path)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "sub/a.jpg")
    found = scan(tmp_path)
    assert list(found.files) == ["link.jpg", "loop.jpg", "sub/a.jpg"]  # and nothing behind loop.jpg
    assert found.links == ("sub/loop",)


def test_links_that_lead_to_no_folder_are_not_links_to_folders(tmp_path: Path) -> None:
    touch(tmp_path / "notes.txt", tmp_path / "raw/a.jpg")
    (tmp_path / "notes").symlink_to(tmp_path / "notes.txt")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "excluded").symlink_to(tmp_path / "raw")
    (tmp_path / ".hidden").symlink_to(tmp_path / "raw")
    assert scan(tmp_path, rules=Rules({"": ["excluded"]})).links == ()


def test_what_has_the_name_of_a_photo_and_is_none_is_found_for_others_to_say_so(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself.jpg").symlink_to(tmp_path / "itself.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket.jpg"))
        found = scan(tmp_path)
    assert list(found.files) == ["broken.jpg", "itself.jpg", "pipe.jpg", "socket.jpg"]  # folders are folders
    assert found.unreadable == ()


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ([], ["a.jpg", "raw/b.jpg", "trip/d.png", "trip/raw/c.jpg"]),
        (["raw"], ["a.jpg", "trip/d.png"]),  # a part of the path, at any depth
        (["raw/"], ["a.jpg", "trip/d.png"]),
        (["trip/*"], ["a.jpg", "raw/b.jpg"]),  # the path from the root
        (["*.jpg"], ["trip/d.png"]),
        (["raw", "?.png"], ["a.jpg"]),
    ],
)
def test_excluded_globs(tmp_path: Path, exclude: list[str], left: list[str]) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "raw/b.jpg", tmp_path / "trip/raw/c.jpg", tmp_path / "trip/d.png")
    assert list(scan(tmp_path, rules=Rules({"": exclude})).files) == left


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["raw/*"], ["2019/a.jpg"]),  # the path from the folder that was typed
        (["2019/raw/*"], ["2019/a.jpg"]),  # and from the root that holds it
        (["2019/*"], []),
        (["2019"], ["2019/a.jpg", "2019/raw/b.jpg"]),  # the typed folder itself is meant to be looked at
    ],
)
def test_excluded_globs_below_the_root(tmp_path: Path, exclude: list[str], left: list[str]) -> None:
    touch(tmp_path / "2019/a.jpg", tmp_path / "2019/raw/b.jpg")
    assert list(scan(tmp_path, "2019", Rules({"2019": exclude})).files) == left


def test_only_some_paths(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "sub/b.jpg")
    assert list(scan(tmp_path, only={"sub/b.jpg", "gone.jpg"}).files) == ["sub/b.jpg"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    touch(tmp_path / os.fsdecode(b"caf\xe9/\xff.jpg"))
    (path,) = scan(tmp_path).files
    assert os.fsencode(path) == b"caf\xe9/\xff.jpg"


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "locked/b.jpg", tmp_path / "sub/c.jpg")
    deny_listing(monkeypatch, tmp_path / "locked")
    found = scan(tmp_path)
    assert sorted(found.files) == ["a.jpg", "sub/c.jpg"]
    assert found.unreadable == ("locked",)


def test_a_time_beyond_the_year_2262_fits_the_catalogue(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    try:
        os.utime(tmp_path / "a.jpg", (10**10, 10**10))  # the year 2286
    except OSError:
        pytest.skip("this file system has no such times")
    assert scan(tmp_path).files["a.jpg"].mtime_ns <= 2**63 - 1
