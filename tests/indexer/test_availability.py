"""What is gone for good, and what may only be away with its drive."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.fakes import deny_listing, write_photo
from twobranch.indexer.disk.availability import (
    can_be_listed,
    drives_away,
    is_deleted,
    is_same_folder,
    is_there,
    leads_anywhere,
    may_be_away,
    may_be_mount_point,
    may_be_unmounted,
)


def test_what_is_out_of_reach_is_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = write_photo(tmp_path / "a.png", "red")
    assert is_there(photo) and not is_there(tmp_path / "b.png") and not is_there(photo / "under a file")

    def fail(path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "lstat", fail)
    assert is_there(photo) and is_there(tmp_path / "b.png")


def test_a_link_to_nothing_is_there_and_leads_nowhere(tmp_path: Path) -> None:
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "away.png")
    assert is_there(link) and not leads_anywhere(link)
    write_photo(tmp_path / "away.png", "red")
    assert leads_anywhere(link)


def test_a_photo_is_deleted_only_in_a_root_that_is_there_and_not_empty(tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert not is_deleted(root / "a.png", root)
    root.mkdir()
    assert not is_deleted(root / "a.png", root)
    write_photo(root / "b.png", "red")
    assert is_deleted(root / "a.png", root) and not is_deleted(root / "b.png", root)


def test_an_empty_folder_may_be_a_mount_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert may_be_mount_point(tmp_path)
    assert may_be_mount_point(tmp_path / "missing")
    write_photo(tmp_path / "a.png", "red")
    assert not may_be_mount_point(tmp_path)
    assert can_be_listed(tmp_path) and not can_be_listed(tmp_path / "missing")


def test_a_missing_path_may_be_unmounted_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "drive" / "photos"
    assert may_be_unmounted(path) and may_be_away(path)  # the folder above is missing
    path.parent.mkdir()
    assert may_be_unmounted(path) and may_be_away(path)  # it is empty
    write_photo(path.parent / "a.png", "red")
    assert not may_be_unmounted(path) and not may_be_away(path)
    monkeypatch.setattr("twobranch.indexer.disk.availability.DRIVES", re.compile(re.escape(str(path.parent))))
    assert may_be_unmounted(path) and may_be_away(path)  # where drives come and go


def test_a_named_folder_may_be_away_when_it_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    assert may_be_away(folder)
    write_photo(folder / "a.png", "red")
    assert not may_be_away(folder) and not may_be_away(folder / "a.png")
    deny_listing(monkeypatch, folder)
    assert not may_be_away(folder)  # a scan says that it cannot be listed


def test_another_folder_in_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    before = folder.stat()
    assert is_same_folder(folder, before)
    folder.rename(tmp_path / "b")
    assert not is_same_folder(folder, before)
    folder.mkdir()
    assert not is_same_folder(folder, before)


def test_a_drive_is_away_where_nothing_is_mounted_and_nothing_lies() -> None:
    drives = frozenset({"usb", "card", "disk"})
    assert drives_away(drives, mounted=frozenset({"usb"}), filled=frozenset({"usb", "card"})) == {"disk"}
