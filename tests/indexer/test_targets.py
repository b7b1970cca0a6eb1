"""Paths that are there, that lie in one another, that were deleted, or whose drive is away."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.fakes import FakeEncoder, write_photos
from tests.indexing import counts, images, index, vector_ids
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.tables import (
    Catalog,
    Root,
)
from twobranch.indexer.disk.availability import DRIVES
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.status import library_status


def test_a_missing_path_is_named_and_nothing_is_touched(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    with pytest.raises(UserError, match=r"nowhere: no such file or directory; nothing was indexed"):
        update_library(library, [photos, photos / "nowhere"], encoder)
    assert not library.exists()


def test_a_missing_path_that_the_library_never_knew(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    for path in (photos / "nowhere", photos.with_name("photo"), photos / "nowhere/red.png"):
        with pytest.raises(UserError, match=f"{path}: no such file or directory; nothing was indexed"):
            update_library(library, [path], encoder)
    assert len(images(library)) == 3


def test_a_deleted_root_is_removed_by_its_name(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path / "few", {"a.png": "white"})
    index(library, [photos, tmp_path / "few"], encoder)
    shutil.rmtree(photos)
    assert reachable(library) == {"few": True, "photos": False}
    report = index(library, photos, encoder)
    assert counts(report) == {"removed": 3}
    assert report.warnings == (f"{photos} no longer exists; 3 photos of it were removed from the library",)
    assert reachable(library) == {"few": True}
    assert len(vector_ids(library)) == 1
    with pytest.raises(UserError, match="no such file"):
        update_library(library, [photos], encoder)


def reachable(library: Path) -> dict[str, bool]:
    return {Path(one["path"]).name: one["reachable"] for one in library_status(library)["folders"]}


def test_a_deleted_part_of_a_root_is_removed_by_its_name(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photos(photos, {"sub/a.png": "white", "sub/deep/b.png": "black", "subway.png": "yellow"})
    index(library, photos, encoder)
    shutil.rmtree(photos / "sub")
    (photos / "red.png").unlink()
    (photos / "blue.png").unlink()  # not named
    report = index(library, [photos / "sub", photos / "red.png"], encoder)
    assert counts(report) == {"removed": 3}
    assert sorted(images(library)) == ["photos/blue.png", "photos/green.png", "photos/subway.png"]
    assert reachable(library) == {"photos": True}


def test_the_folder_above_deleted_roots(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(tmp_path / "p", {"x/a.png": "white", "y/b.png": "black"})
    index(library, [tmp_path / "p/x", tmp_path / "p/y"], encoder)
    shutil.rmtree(tmp_path / "p")
    assert counts(index(library, tmp_path / "p", encoder)) == {"removed": 2}
    assert reachable(library) == {}


def test_a_deleted_root_that_turns_up_elsewhere_has_moved(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    (photos / "red.png").unlink()
    pictures = photos.rename(photos.with_name("pictures"))
    assert counts(index(library, [photos, pictures], encoder)) == {"moved": 2, "removed": 1}
    assert reachable(library) == {"pictures": True}


def test_a_drive_that_is_not_mounted_empties_nothing(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = tmp_path / "drive"
    write_photos(drive / "p", {"a.png": "white", "sub/b.png": "black"})
    index(library, [photos, drive / "p"], encoder)

    def refused(path: Path) -> None:
        with pytest.raises(UserError, match=rf"{path}: cannot be reached .* nothing was removed"):
            update_library(library, [photos, path], encoder)
        assert len(images(library)) == 5

    drive.rename(tmp_path / "unplugged")
    refused(drive / "p")  # the folder above is missing
    drive.mkdir()
    refused(drive / "p")  # it is an empty mount point
    refused(drive / "p/sub")
    drive.rmdir()
    monkeypatch.setattr("twobranch.indexer.disk.availability.DRIVES", re.compile(re.escape(str(tmp_path))))
    refused(drive)  # a folder for drives, such as /media/you


def test_the_places_of_drives() -> None:
    for place in ("/mnt", "/Volumes", "/media", "/media/me", "/run/media/me"):
        assert DRIVES.fullmatch(place)
    for place in ("/home/me", "/media/me/disk", "/mnt/disk", "/data"):
        assert not DRIVES.fullmatch(place)


def test_an_empty_root_keeps_its_photos(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    drive = photos.rename(tmp_path / "unplugged")
    photos.mkdir()
    report = index(library, photos, encoder)
    assert counts(report) == {}
    assert report.warnings == (
        f"{photos} is empty; its 3 photos are kept; "
        "delete the folder itself and index it by name to remove them",
    )
    assert len(vector_ids(library)) == 3

    photos.rmdir()
    drive.rename(photos)
    assert counts(index(library, photos, encoder)) == {"unchanged": 3}
    for photo in photos.iterdir():
        photo.unlink()
    (photos / "notes.txt").touch()  # not a mount point: it is just without photos
    assert counts(index(library, photos, encoder)) == {"removed": 3}
    (photos / "notes.txt").unlink()
    assert index(library, photos, encoder).warnings == ()  # nothing is left to be kept


def test_photos_that_moved_out_of_a_root(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    photos.rename(tmp_path / "pictures")
    photos.mkdir()
    report = index(library, [photos, tmp_path / "pictures"], encoder)
    assert (counts(report), report.warnings) == ({"moved": 3}, ())


def test_what_is_not_a_photo_is_named(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    (photos / "notes.txt").touch()
    with pytest.raises(UserError, match=r"notes\.txt: not a photo or a folder"):
        update_library(library, [photos / "notes.txt"], encoder)


def test_a_single_photo_is_all_that_is_looked_at(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    assert counts(index(library, photos / "red.png", encoder)) == {"added": 1, "encoded": 1}
    assert counts(index(library, photos / "blue.png", encoder)) == {"added": 1, "encoded": 1}
    (photos / "red.png").unlink()
    assert counts(index(library, photos / "blue.png", encoder)) == {"unchanged": 1}
    assert sorted(images(library)) == ["photos/blue.png", "photos/red.png"]
    assert [root.path for root in roots(library)] == [str(photos)]


def test_a_folder_inside_a_root_is_a_part_of_it(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photos(photos, {"sub/a.png": "white", "subway.png": "black"})
    index(library, photos, encoder)
    (photos / "sub/a.png").unlink()
    (photos / "subway.png").unlink()  # out of what is looked at
    assert counts(index(library, photos / "sub", encoder)) == {"removed": 1}
    assert [root.path for root in roots(library)] == [str(photos)]


def test_a_folder_above_roots_adopts_their_photos(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path / "more", {"a.png": "white"})
    index(library, [photos, tmp_path / "more"], encoder)
    rows, vectors = images(library), vector_ids(library)
    assert counts(index(library, tmp_path, encoder)) == {"unchanged": 4}
    assert {path: row.id for path, row in images(library).items()} == {p: row.id for p, row in rows.items()}
    assert vector_ids(library) == vectors
    assert [root.path for root in roots(library)] == [str(tmp_path)]


def test_paths_within_each_other_count_once(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photos(photos, {"sub/a.png": "white"})
    report = index(library, [photos / "sub", photos, photos / "red.png", photos], encoder)
    assert counts(report) == {"added": 4, "encoded": 4}
    assert len(roots(library)) == 1


def test_a_photo_above_a_root_that_is_indexed_too(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photos(photos, {"sub/a.png": "white"})
    index(library, photos / "sub", encoder)
    write_photos(photos, {"sub/b.png": "black"})
    # The photo's folder becomes a root and adopts the other one, whose new photo must end up in it.
    report = index(library, [photos / "sub", photos / "red.png"], encoder)
    assert counts(report) == {"added": 2, "encoded": 2, "unchanged": 1}
    assert [root.path for root in roots(library)] == [str(photos)]


def test_one_name_for_a_folder_that_has_two(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    link = photos.with_name("link")
    link.symlink_to(photos)
    assert counts(index(library, link, encoder)) == {"unchanged": 3}


def roots(library: Path) -> Sequence[Root]:
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        return session.scalars(select(Root)).all()
