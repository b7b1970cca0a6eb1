"""A plain `index`: everything that the library knows, as it was told to look at it."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexing import captions, counts, images, index, write_captions
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.settings import Choices, Limit, load_choices, store_choices
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.disk.rules import Rules
from twobranch.retrieval.display.status import library_status


def names(library: Path) -> list[str]:
    return sorted(images(library))


def test_every_folder_is_looked_at_again(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(tmp_path, {"one/a.png": "red", "two/b.png": "blue"})
    index(library, [tmp_path / "one", tmp_path / "two"], encoder)
    write_photos(tmp_path, {"one/c.png": "white", "three/d.png": "black"})  # three was never named
    (tmp_path / "two/b.png").unlink()
    write_photo(tmp_path / "two/e.png", "yellow")
    assert counts(index(library, [], encoder)) == {"added": 2, "removed": 1, "unchanged": 1, "encoded": 2}
    assert names(library) == ["one/a.png", "one/c.png", "two/e.png"]


def test_a_folder_that_is_away_is_said_once_and_kept(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path, {"here/a.png": "red", "away/b.png": "blue", "away/c.png": "white"})
    index(library, [tmp_path / "here", tmp_path / "away"], encoder)
    (tmp_path / "away").rename(tmp_path / "unplugged")
    report = index(library, [], encoder)
    assert counts(report) == {"unchanged": 1}
    assert report.warnings == (f"{tmp_path / 'away'}: cannot be reached; its 2 photos are kept as they are",)
    (tmp_path / "unplugged").rename(tmp_path / "away")
    assert counts(index(library, [], encoder)) == {"unchanged": 3}


def test_of_a_folder_with_one_named_photo_only_that_is_looked_at(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path, {"home/a.png": "red", "home/other.png": "blue", "home/trip/b.png": "white"})
    index(library, [tmp_path / "home/a.png"], encoder)
    assert counts(index(library, [], encoder)) == {"unchanged": 1}
    index(library, [tmp_path / "home/trip"], encoder)
    write_photo(tmp_path / "home/trip/c.png", "black")
    assert counts(index(library, [], encoder)) == {"added": 1, "unchanged": 2, "encoded": 1}
    (tmp_path / "home/a.png").unlink()
    assert counts(index(library, [], encoder)) == {"removed": 1, "unchanged": 2}


def test_a_named_subfolder_that_is_deleted_or_away(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path, {"p/a.png": "red", "p/sub/b.png": "blue", "p/mnt/usb/c.png": "white"})
    index(library, [tmp_path / "p/a.png", tmp_path / "p/sub", tmp_path / "p/mnt/usb"], encoder)
    shutil.rmtree(tmp_path / "p/sub")
    shutil.rmtree(tmp_path / "p/mnt/usb")  # and leaves an empty folder behind, as a drive does
    report = index(library, [], encoder)
    assert counts(report) == {"removed": 1, "unchanged": 1}
    warning = f"{tmp_path / 'p/mnt/usb'}: cannot be reached, or is empty; its photos are kept as they are"
    assert report.warnings == (warning,)
    (tmp_path / "p/mnt/usb").mkdir()
    report = index(library, [], encoder)
    assert (counts(report), report.warnings) == ({"unchanged": 1}, (warning,))
    assert library_status(library)["changes"]["gone"] == 0
    assert names(library) == ["p/a.png", "p/mnt/usb/c.png"]


def test_exclude_is_remembered_replaced_and_cleared(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    assert counts(index(library, photos, encoder, exclude=["r*.png"])) == {"added": 2, "encoded": 2}
    assert counts(index(library, [], encoder)) == {"unchanged": 2}
    assert counts(index(library, photos, encoder)) == {"unchanged": 2}
    # Replaced: red is looked at again, green no more.
    report = index(library, photos, encoder, exclude=["g*.png"])
    assert counts(report) == {"added": 1, "removed": 1, "unchanged": 1, "encoded": 1}
    assert counts(index(library, photos, encoder, exclude=[""])) == {"added": 1, "unchanged": 2, "encoded": 1}
    assert counts(index(library, [], encoder)) == {"unchanged": 3}
    # Without paths it is said of every folder.
    assert counts(index(library, [], encoder, exclude=["b*"])) == {"removed": 1, "unchanged": 2}


def test_exclude_of_a_folder_says_nothing_of_its_neighbours(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photos(photos, {"trip/a.png": "white", "trip/b.png": "black"})
    index(library, photos, encoder)
    assert counts(index(library, photos / "trip", encoder, exclude=["a.png"])) == {
        "removed": 1,
        "unchanged": 1,
    }
    write_photo(photos / "a.png", "yellow")
    assert counts(index(library, [], encoder)) == {"added": 1, "unchanged": 4, "encoded": 1}


def test_what_is_excluded_cannot_be_named(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photos(photos, {"raw/a.png": "white"})
    index(library, photos, encoder, exclude=["raw"])
    report = index(library, photos / "raw", encoder)
    assert counts(report) == {}
    assert report.warnings == (
        f"{photos / 'raw'}: excluded by the settings of a folder above it; "
        f"change them with `index {photos} --exclude GLOB`",
    )
    assert counts(index(library, [], encoder)) == {"unchanged": 3}


def test_hidden_photos_are_asked_for_and_that_is_remembered(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photos(photos, {".h/a.png": "white", ".b.png": "black", ".h/@eaDir/t.png": "red"})
    assert counts(index(library, photos, encoder)) == {"added": 3, "encoded": 3}
    report = index(library, photos, encoder, include_hidden=True)
    assert counts(report) == {"added": 2, "unchanged": 3, "encoded": 2}
    assert counts(index(library, [], encoder)) == {"unchanged": 5}
    assert counts(index(library, [], encoder, include_hidden=False)) == {"removed": 2, "unchanged": 3}
    assert counts(index(library, [], encoder)) == {"unchanged": 3}


def test_a_hidden_folder_with_a_name_is_refreshed_too(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photos(photos, {".h/a.png": "white"})
    index(library, [photos, photos / ".h"], encoder)
    write_photo(photos / ".h/b.png", "black")
    assert counts(index(library, [], encoder)) == {"added": 1, "unchanged": 4, "encoded": 1}
    # Looked at once, though it is named and its root leads to it now.
    report = index(library, [], encoder, include_hidden=True)
    assert counts(report) == {"unchanged": 5}


def test_only_a_split_stays_only_a_split(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    file = write_captions(
        photos.parent / "c.csv",
        {"red.png": "red", "blue.png": "blue"},
        {"red.png": "test", "blue.png": "train"},
    )
    index(library, photos, encoder, captions=file, split="test")
    assert counts(index(library, [], encoder)) == {"unchanged": 1}
    file.unlink()
    report = index(library, [], encoder)
    assert names(library) == ["photos/red.png"]
    assert [warning.partition(":")[0] for warning in report.warnings] == [str(photos), str(file)]
    # Named without a split, the whole folder counts.
    assert counts(index(library, photos, encoder)) == {"added": 2, "unchanged": 1, "encoded": 2}
    assert counts(index(library, [], encoder)) == {"unchanged": 3}


def test_caption_files_that_were_written_to_are_read_again(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    file = write_captions(photos.parent / "c.csv", {"red.png": "red"})
    index(library, photos, encoder, captions=file)
    write_captions(file, {"red.png": "red", "blue.png": "blue"})
    assert index(library, [], encoder).captions_added == 1
    assert captions(library) == {"red": "photos/red.png", "blue": "photos/blue.png"}
    file.write_bytes(b"\xff\xfe\x00")  # an editor that crashed
    report = index(library, [], encoder)
    assert len(captions(library)) == 2
    assert report.warnings[0].endswith("; its captions are kept as they are")


def test_sidecars_are_always_read_again(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    (photos / "red.txt").write_text("red")
    index(library, photos, encoder, captions=photos)
    before = photos.stat()
    (photos / "red.txt").write_text("green")
    assert photos.stat().st_mtime_ns == before.st_mtime_ns
    index(library, [], encoder)
    assert captions(library) == {"green": "photos/red.png"}


def test_only_the_given_roots(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(tmp_path, {"one/a.png": "red", "two/b.png": "blue"})
    index(library, [tmp_path / "one", tmp_path / "two"], encoder)
    write_photos(tmp_path, {"one/c.png": "white", "two/d.png": "black"})
    report = index(library, [], encoder, within=[tmp_path / "one"])
    assert counts(report) == {"added": 1, "unchanged": 1, "encoded": 1}


def test_a_root_that_is_taken_up_keeps_what_was_said(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path / "p", {"sub/a.png": "red", "sub/b.jpg": "blue"})
    index(library, tmp_path / "p/sub", encoder, exclude=["*.jpg"])
    index(library, tmp_path / "p", encoder)
    assert names(library) == ["p/sub/a.png"]


def test_choices_come_back_as_they_were_stored(library: Path) -> None:
    odd = "/p/caf\udce9"  # not UTF-8
    choices = Choices(
        {odd: None, "/p/x": Limit("/c.csv", "test")}, {odd: ("*.png",)}, {"/p": True}, frozenset({"/p/y"})
    )
    with closing(Catalog.open(library, create=True)) as catalog:
        with catalog.session(write=True) as session:
            store_choices(session, choices)
        with catalog.session() as session:
            assert load_choices(session) == choices
    assert choices.rules(Path("/p")) == Rules({"caf\udce9": ("*.png",)}, {"": True}, frozenset({"y"}))
    assert choices.moved(Path("/p"), Path("/q")).forgotten == {"/q/y"}


def test_inside_what_was_forgotten_nothing_can_be_named() -> None:
    with pytest.raises(
        UserError, match=r"/p/x/a: lies in /p/x, which was forgotten; `index /p/x` undoes that"
    ):
        Choices(forgotten=frozenset({"/p/x"})).told({Path("/p/x/a"): None}, roots=[Path("/p")])


def test_a_split_of_a_folder_does_not_narrow_it(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    file = write_captions(photos.parent / "c.csv", {"red.png": "red"}, {"red.png": "test"})
    index(library, photos, encoder, captions=file, split="test")
    write_photo(photos / "new.png", "white")
    assert counts(index(library, [], encoder)) == {"added": 1, "unchanged": 3, "encoded": 1}


def test_a_split_and_a_folder_inside_it_are_looked_at_together(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    names = {"red.png": "red", "sub/new.png": "white"}
    file = write_captions(photos.parent / "c.csv", names, dict.fromkeys(names, "test"))
    (photos / "sub").mkdir()
    index(library, photos, encoder, captions=file, split="test")
    index(library, photos / "sub", encoder)
    write_photos(photos / "sub", {"new.png": "white", "other.png": "black"})
    assert counts(index(library, [], encoder)) == {"added": 2, "unchanged": 1, "encoded": 2}


def test_a_root_of_before_anything_was_remembered_stays_whole(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "sub/a.png", "white")
    index(library, photos, encoder)
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True) as session:
        store_choices(session, Choices())
    index(library, photos / "sub", encoder)
    assert counts(index(library, [], encoder)) == {"unchanged": 4}
