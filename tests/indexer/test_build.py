from __future__ import annotations

import os
import shutil
import threading
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags
from PIL import Image as PillowImage

from tests.fakes import FakeEncoder, RecordedProgress, deny_listing, write_photo, write_photos
from tests.indexing import check, counts, images, in_batches, index, photo_index, vector_ids
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.connection import connect
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.catalog.tables import (
    Catalog,
    Image,
    ImageVector,
)
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.tables import index_text

# --- what changed ---------------------------------------------------------------------------------


def test_first_run_then_nothing_to_do(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    report = index(library, photos, encoder)
    assert counts(report) == {"added": 3, "encoded": 3}
    assert report.images_per_s is not None and report.images_per_s > 0
    assert sorted(images(library)) == ["photos/blue.png", "photos/green.png", "photos/red.png"]

    again = index(library, photos, encoder)
    assert counts(again) == {"unchanged": 3}
    assert again.images_per_s is None
    assert encoder.encoded_images == 3


def test_a_photo_is_found_by_its_colour(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    _, ((best, *_),) = photo_index(library).search(encoder.encode_texts(["blue"]), 3)
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        assert session.get_one(Image, session.get_one(ImageVector, int(best)).image_id).path == "blue.png"


def test_a_new_photo_alone_is_encoded(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    write_photo(photos / "sub/yellow.png", "yellow")
    assert counts(index(library, photos, encoder)) == {"added": 1, "encoded": 1, "unchanged": 3}


def test_a_changed_photo_gets_a_new_vector(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    row, vectors = images(library)["photos/red.png"], vector_ids(library)
    write_photo(photos / "red.png", "yellow", size=(9, 8))
    assert counts(index(library, photos, encoder)) == {"updated": 1, "encoded": 1, "unchanged": 2}
    assert images(library)["photos/red.png"].id == row.id
    assert images(library)["photos/red.png"].width == 9
    assert len(vector_ids(library) - vectors) == 1  # an id names one vector for ever


def test_a_touched_photo_is_read_but_not_encoded(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    vectors = vector_ids(library)
    os.utime(photos / "red.png", (1, 1))
    assert counts(index(library, photos, encoder)) == {"unchanged": 3}
    assert images(library)["photos/red.png"].mtime_ns == 10**9
    assert vector_ids(library) == vectors


def test_a_moved_photo_keeps_its_row_and_vector(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    row, vectors = images(library)["photos/red.png"], vector_ids(library)
    (photos / "holiday").mkdir()
    (photos / "red.png").rename(photos / "holiday/crimson.png")
    assert counts(index(library, photos, encoder)) == {"moved": 1, "unchanged": 2}
    assert images(library)["photos/holiday/crimson.png"].id == row.id
    assert vector_ids(library) == vectors


def test_a_renamed_root_is_moved_as_a_whole(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    pictures = photos.rename(photos.with_name("pictures"))
    assert counts(index(library, pictures, encoder)) == {"moved": 3}
    assert sorted(images(library)) == ["pictures/blue.png", "pictures/green.png", "pictures/red.png"]


def test_a_copy_gets_a_copy_of_the_vector(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    shutil.copy(photos / "red.png", photos / "copy.png")
    assert counts(index(library, photos, encoder)) == {"added": 1, "unchanged": 3}
    assert images(library)["photos/copy.png"].id != images(library)["photos/red.png"].id


def test_a_photo_that_went_to_two_places_moved_once(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    shutil.copy(photos / "red.png", photos / "red-1.png")
    (photos / "red.png").rename(photos / "red-2.png")
    assert counts(index(library, photos, encoder)) == {"moved": 1, "added": 1, "unchanged": 2}
    assert images(library)["photos/red-2.png"].width == 8


def test_very_many_copies(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twobranch.indexer.update.photos._MAX_SAME", 2)
    for i in range(9):
        shutil.copy(photos / "red.png", photos / f"{i}.png")
    assert counts(index(library, photos, encoder, effort=in_batches(4))) == {
        "added": 12,
        "encoded": 3,
    }
    for path in photos.iterdir():
        os.utime(path, (1, 1))
    assert counts(index(library, photos, encoder, effort=in_batches(4))) == {"unchanged": 12}
    assert counts(index(library, photos, FakeEncoder("two", "2"))) == {"unchanged": 12, "encoded": 3}


def test_names_handed_on_in_a_row(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    (photos / "red.png").rename(photos / "zzz.png")
    (photos / "green.png").rename(photos / "red.png")  # read before zzz.png, which has its old content
    report = index(library, photos, encoder)
    assert counts(report) == {"updated": 1, "added": 1, "removed": 1, "unchanged": 1}
    assert sorted(images(library)) == ["photos/blue.png", "photos/red.png", "photos/zzz.png"]


def test_a_removed_photo_is_forgotten(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    (photos / "red.png").unlink()
    assert counts(index(library, photos, encoder)) == {"removed": 1, "unchanged": 2}
    assert sorted(images(library)) == ["photos/blue.png", "photos/green.png"]
    assert len(vector_ids(library)) == 2


def test_all_at_once(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photos(photos, {f"{i}.png": (i, 0, 200) for i in range(40)})
    index(library, photos, encoder)
    for i in range(0, 40, 4):
        (photos / f"{i}.png").unlink()
        write_photo(photos / f"{i + 1}.png", (i, 90, 0))
        (photos / f"{i + 2}.png").rename(photos / f"moved-{i}.png")
        write_photo(photos / f"new-{i}.png", (i, 180, 0))
    expected = {"removed": 10, "updated": 10, "moved": 10, "added": 10, "unchanged": 13, "encoded": 20}
    assert counts(index(library, photos, encoder, effort=in_batches(3))) == expected


# --- odd files ------------------------------------------------------------------------------------


def test_a_bad_photo_is_recorded_and_the_others_keep_their_own_vectors(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "cut.jpg", "red", size=(200, 200))
    (photos / "cut.jpg").write_bytes((photos / "cut.jpg").read_bytes()[:700])
    (photos / "empty.png").touch()
    (photos / "notes.jpg").write_text("not a photo")
    report = index(library, photos, encoder)  # checks that each vector is that of its own photo
    assert counts(report) == {"added": 3, "encoded": 3, "failed": 3}
    assert {(Path(failure.path).name, failure.reason) for failure in report.failed} == {
        ("cut.jpg", "truncated"),
        ("empty.png", "empty file"),
        ("notes.jpg", "not an image, or damaged at its beginning"),
    }
    assert all(Path(failure.path).is_absolute() for failure in report.failed)
    assert images(library)["photos/cut.jpg"].failure == "truncated"


def test_a_bad_photo_is_tried_again(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    (photos / "later.png").touch()
    index(library, photos, encoder)
    assert counts(index(library, photos, encoder)) == {"unchanged": 3, "failed": 1}
    write_photo(photos / "later.png", "yellow")
    assert counts(index(library, photos, encoder)) == {"unchanged": 3, "updated": 1, "encoded": 1}
    assert images(library)["photos/later.png"].failure is None


def test_a_photo_that_was_damaged_loses_its_vector(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    (photos / "red.png").write_bytes(b"")
    assert counts(index(library, photos, encoder)) == {"unchanged": 2, "failed": 1}
    assert len(vector_ids(library)) == 2


def test_a_decoder_that_raises_anything_ends_no_run(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("twobranch.indexer.disk.read.load_views", explode)
    report = index(library, photos, encoder)
    assert {failure.reason for failure in report.failed} == {"damaged (ZeroDivisionError: division by zero)"}


def test_facts_of_the_upright_photo(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    tags = PillowImage.Exif()
    tags[ExifTags.Base.Orientation] = 6  # the camera was held upright: 20 x 10 is shown as 10 x 20
    tags[ExifTags.Base.Make] = "Apple"
    tags[ExifTags.Base.DateTime] = "2020:02:03 04:05:06"
    write_photo(tmp_path / "p/a.jpg", "red", size=(20, 10), exif=tags)
    index(library, tmp_path / "p", encoder)
    row = images(library)["p/a.jpg"]
    assert (row.width, row.height) == (10, 20)
    assert (row.camera, row.taken_at) == ("Apple", datetime(2020, 2, 3, 4, 5, 6))


def test_names_that_are_not_utf8(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    write_photos(folder, {os.fsdecode(b"\xff.png"): "red"})
    assert counts(index(library, folder, encoder)) == {"added": 1, "encoded": 1}
    assert counts(index(library, tmp_path, encoder)) == {"unchanged": 1}  # adopted by the folder above
    (row,) = images(library).values()
    assert os.fsencode(row.path) == b"caf\xe9/\xff.png"


def test_what_cannot_be_listed_is_kept(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(photos, {"locked/a.png": "white", "locked/deep/b.png": "black", "lockedout.png": "yellow"})
    index(library, photos, encoder)
    (photos / "lockedout.png").unlink()
    deny_listing(monkeypatch, photos / "locked")
    progress = RecordedProgress()
    report = index(library, photos, encoder, progress=progress)
    assert counts(report) == {"unchanged": 3, "removed": 1}
    assert "photos/locked/deep/b.png" in images(library)
    (warning,) = report.warnings
    assert str(photos / "locked") in warning and progress.warnings == [warning]


def test_links_to_folders_are_reported_until_they_are_named(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos.parent / "other/white.png", "white")
    links = (photos / "a", photos / "b")
    for link in links:
        link.symlink_to(photos.parent / "other")
    (photos / "loop").symlink_to(photos)  # its photos are in the library
    report = index(library, photos, encoder)
    assert report.skipped_links == tuple(map(str, links))
    assert report.as_json()["skipped_links"] == list(map(str, links))
    line = f"2 links to folders not followed: {links[0]} …; name one as PATH to index it"
    assert line in index_text(report, "fake", library)
    report = index(library, links[0], encoder)
    assert counts(report) == {"added": 1, "encoded": 1}
    assert index(library, photos, encoder).skipped_links == ()
    assert "not followed" not in index_text(report, "fake", library)


def test_excluded_photos_leave_the_library(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    assert counts(index(library, photos, encoder, exclude=["r*.png"])) == {"unchanged": 2, "removed": 1}


@pytest.mark.parametrize("above", [False, True])
def test_exclusion_does_not_depend_on_what_was_indexed_before(
    library: Path, tmp_path: Path, encoder: FakeEncoder, above: bool
) -> None:
    write_photos(tmp_path / "ex", {"b.png": "red"})
    if above:
        index(library, tmp_path / "ex", encoder)
    write_photos(tmp_path / "ex/2019", {"raw/a.png": "green", "b.png": "blue"})
    report = index(library, tmp_path / "ex/2019", encoder, exclude=["raw/*"])
    assert counts(report) == {"added": 1, "encoded": 1}


@pytest.mark.parametrize("hidden", [".h", "@eaDir", "node_modules", ".h/x/@eaDir", ".c.png"])
def test_what_is_skipped_is_indexed_by_its_own_name(
    library: Path, photos: Path, encoder: FakeEncoder, hidden: str
) -> None:
    named = photos / hidden
    photo = write_photo(named if named.suffix == ".png" else named / "c.png", "white")
    report = index(library, [photos, named], encoder)
    assert counts(report) == {"added": 4, "encoded": 4}
    assert counts(index(library, [photos, named], encoder)) == {"unchanged": 4}
    assert counts(index(library, photos, encoder)) == {"unchanged": 3}
    assert len(images(library)) == 4
    photo.unlink()
    assert counts(index(library, photos, encoder)) == {"unchanged": 3, "removed": 1}


def test_a_hidden_folder_that_was_a_root_stays(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photos(photos, {".h/a.png": "white", ".h/b.png": "black"})
    index(library, photos / ".h", encoder)
    assert counts(index(library, photos, encoder)) == {"added": 3, "encoded": 3}
    assert len(images(library)) == 5
    report = index(library, photos, encoder, exclude=[".h"])  # what is excluded leaves the library
    assert counts(report) == {"unchanged": 3, "removed": 2}


# --- interruptions --------------------------------------------------------------------------------


def test_an_interrupted_run_is_continued(library: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "p", {f"{i:02}.png": (i, 100, 0) for i in range(10)})
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        update_library(library, [tmp_path / "p"], FakeEncoder(interrupt_after=4), effort=in_batches(4))
    assert threading.active_count() == before
    check(library)  # the four photos of the first batch can be searched
    assert len(vector_ids(library)) == 4

    encoder = FakeEncoder()
    assert counts(index(library, tmp_path / "p", encoder)) == {"added": 6, "encoded": 6, "unchanged": 4}


def test_progress_is_told_of_every_photo(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    progress = RecordedProgress()
    (photos / "empty.png").touch()
    index(library, photos, encoder, progress=progress, effort=in_batches(2))
    assert progress.work == [(f"looking for photos in {photos}", None), ("photos", 4)]
    assert progress.done == [0, 4]
    assert not progress.running


def test_a_full_disk_is_one_line(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(library, photos, encoder)
    write_photos(photos, {f"{i}.png": (i, 0, 0) for i in range(256)})

    def small(path: Path) -> Any:
        connection = connect(path)
        connection.execute("PRAGMA max_page_count = 1")  # SQLite raises it to the present size
        return connection

    monkeypatch.setattr("twobranch.indexer.catalog.tables.connect", small)
    with pytest.raises(LibraryError, match=r"disk is full; free some space"):
        update_library(library, [photos], encoder)


def test_two_runs_at_once_are_refused(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(library, photos, encoder)
    monkeypatch.setattr("twobranch.indexer.catalog.lock.PATIENCE", 0)
    with indexing_lock(library), pytest.raises(LibraryError, match="another `index`"):
        update_library(library, [photos], encoder)
