"""Drives that go away, and photos that were deleted: the ones are kept, the others removed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO

import pytest

import twobranch.indexer.disk.walk
from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexing import counts, images, index
from twobranch.indexer.catalog.tables import Catalog, Root
from twobranch.indexer.disk.rules import EVERYTHING
from twobranch.indexer.disk.walk import scan
from twobranch.indexer.maintenance.relocate import forget
from twobranch.indexer.update.library import update_library
from twobranch.indexer.update.scan_scope import ScanScope
from twobranch.indexer.update.targets import Scope, scope_of
from twobranch.retrieval.display.status import library_status


@pytest.fixture
def usb(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the photos where another drive is mounted, as long as there is anything in it."""
    usb = photos / "usb"
    write_photos(usb, {"a.png": "white", "deep/b.png": "black"})
    real = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        status = real(path, **options)
        if Path(path).is_relative_to(usb) and any(usb.iterdir()):
            fields = list(status)
            fields[2] += 1  # st_dev
            return os.stat_result(fields)
        return status

    monkeypatch.setattr(twobranch.indexer.disk.walk.os, "stat", stat)
    return usb


def unplug(usb: Path) -> Path:
    """Leaves an empty mount point; returns where its contents are now."""
    away = usb.parent.parent / "unplugged"
    usb.rename(away)
    usb.mkdir()
    return away


def test_an_empty_mount_point_in_a_folder_keeps_its_photos(
    library: Path, photos: Path, usb: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    away = unplug(usb)
    (photos / "red.png").unlink()

    for _ in range(2):  # however often
        assert library_status(library)["changes"]["gone"] == (1 if "photos/red.png" in images(library) else 0)
        report = index(library, [], encoder)
        assert f"{usb}: cannot be reached (is its drive mounted?)" in report.warnings[0]
        assert set(images(library)) == {
            f"photos/{name}" for name in ("blue.png", "green.png", "usb/a.png", "usb/deep/b.png")
        }

    usb.rmdir()  # as systems do that make mount points themselves
    assert counts(index(library, photos, encoder)) == {"unchanged": 2}

    away.rename(usb)
    (usb / "a.png").unlink()
    assert counts(index(library, photos, encoder)) == {"unchanged": 3, "removed": 1}


@pytest.mark.parametrize("how", ["excluded", "forgotten"])
def test_a_drive_that_is_away_can_be_left_out(
    how: str, library: Path, photos: Path, usb: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    unplug(usb)
    if how == "excluded":
        assert counts(index(library, photos, encoder, exclude=["usb"])) == {"unchanged": 3, "removed": 2}
    else:
        forget(library, [usb])
    report = index(library, [], encoder)
    assert (counts(report), report.warnings) == ({"unchanged": 3}, ())


def test_photos_on_this_very_drive_are_removed_with_their_folder(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photos(photos / "sub", {"a.png": "white"})
    index(library, photos, encoder)
    (photos / "sub/a.png").unlink()
    assert counts(index(library, photos, encoder)) == {"unchanged": 3, "removed": 1}


def test_a_drive_that_was_replaced_by_a_folder_is_forgotten(
    library: Path, photos: Path, usb: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(library, photos, encoder)
    monkeypatch.undo()  # what is there now lies on the same drive
    assert counts(index(library, photos, encoder)) == {"unchanged": 5}
    shutil.rmtree(usb)
    assert counts(index(library, photos, encoder)) == {"unchanged": 3, "removed": 2}


@pytest.mark.parametrize("listed", [True, False])
def test_a_drive_that_goes_while_its_folder_is_listed(
    listed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files were listed, and none is there any more, or none was listed: that is no deletion."""
    write_photos(tmp_path / "photos/usb", {"a.png": "red", "b.png": "blue"})
    real = os.scandir

    class Listing:
        def __init__(self, path: Path) -> None:
            if path.name == "usb" and not listed:
                unplug(path)
            with real(path) as listing:
                self.entries = list(listing)
            if path.name == "usb" and listed:
                unplug(path)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Listing)
    found = scan(tmp_path / "photos")
    assert found.unreadable == ("usb",) and not found.files


def test_a_folder_that_vanishes_before_it_is_looked_at(tmp_path: Path, library: Path) -> None:
    root = tmp_path / "drive"
    scope = ScanScope(Scope(1, root, "photos"), EVERYTHING, None)
    assert scope.scan().unreadable == ("photos",)  # the root is away
    root.mkdir()
    assert scope.scan().unreadable == ("photos",)  # an empty mount point
    write_photo(root / "other.png", "red")
    assert scope.scan().unreadable == ()  # it was deleted
    # And it is not taken for a photo in the folder above, which would become the root.
    with Catalog.open(library, create=True).session(write=True) as session:
        session.add(Root(path=str(root / "photos")))
        session.flush()
        assert scope_of(session, root / "photos") == Scope(1, root / "photos", "")


def test_a_link_to_where_a_drive_is_away_is_kept(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    away = write_photo(photos.parent / "drive/a.png", "white")
    (photos / "link.png").symlink_to(away)
    index(library, photos, encoder)
    away.unlink()
    report = index(library, photos, encoder)
    assert counts(report) == {"unchanged": 3} and "1 photos could not be reached" in report.warnings[0]
    status = library_status(library)
    assert (status["searchable_photos"], status["failed"], status["changes"]["gone"]) == (4, [], 0)
    (photos / "link.png").unlink()
    assert counts(index(library, photos, encoder)) == {"unchanged": 3, "removed": 1}


def test_photos_of_a_drive_that_fails_are_not_failures_of_theirs(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails while photos are read: what is known of them stays, and they are not listed as damaged."""
    index(library, photos, encoder)
    write_photos(photos, {"red.png": (254, 0, 0), "new.png": "white"})
    real = os.scandir

    def fails(*arguments: object) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    def open_file(path: Path) -> BinaryIO:
        monkeypatch.setattr(os, "scandir", fails)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as context:
        context.setattr("twobranch.indexer.disk.read.open_file", open_file)
        report = update_library(library, [photos], encoder)
    monkeypatch.setattr(os, "scandir", real)
    assert not report.failed and "2 photos could not be reached" in report.warnings[-1]
    assert images(library)["photos/red.png"].failure is None
    assert counts(index(library, photos, encoder)) == {"added": 1, "updated": 1, "unchanged": 2, "encoded": 2}


def test_a_root_that_cannot_be_asked_for_does_not_end_the_run_of_another(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a network drive has lost its server: not missing, but each question is an error."""
    broken = tmp_path / "broken"
    write_photo(broken / "a.png", "white")
    index(library, [photos, broken], encoder)
    write_photo(photos / "new.png", "black")
    real = Path.stat

    def stat(path: Path, **options: Any) -> os.stat_result:
        if path.is_relative_to(broken):
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    report = update_library(library, [], encoder)
    assert counts(report) == {"added": 1, "unchanged": 3, "encoded": 1}
    assert "cannot be reached; its 1 photos are kept" in report.warnings[0]
