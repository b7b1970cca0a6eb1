"""A library is found from inside the folders it holds, though it lies elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import index
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog import known_libraries
from twobranch.indexer.catalog.known_libraries import libraries_holding, remember_library
from twobranch.indexer.catalog.library import find_library, library_elsewhere, library_for_indexing
from twobranch.indexer.maintenance.relocate import forget, relocate


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the entries, which does not exist yet."""
    folder = tmp_path / "cache" / "libraries"
    monkeypatch.setattr(known_libraries, "cache_folder", lambda name: folder.parent / name)
    monkeypatch.delenv("TWOBRANCH_LIBRARY", raising=False)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, photos: Path, encoder: FakeEncoder) -> Path:
    """A library in ``data`` of the photos in ``photos``."""
    write_photo(photos / "holiday/sea.png", "blue")
    library = tmp_path / "data/.twobranch"
    index(library, photos, encoder)
    remember_library(library)
    return library


def test_the_library_that_holds_the_current_folder_is_found(
    elsewhere: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (photos, photos / "holiday"):
        monkeypatch.chdir(folder)
        assert find_library() == library_for_indexing() == library_elsewhere() == elsewhere
    assert [path.name for path in photos.iterdir() if path.name.startswith(".")] == []
    monkeypatch.chdir(photos.parent)
    with pytest.raises(LibraryError, match="`index PATH` creates one"):
        find_library()


def test_a_library_that_is_named_or_found_upwards_goes_first(
    elsewhere: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    assert library_elsewhere(photos.parent) is None
    (photos / ".twobranch").mkdir()
    assert library_elsewhere() is None
    assert find_library() == photos / ".twobranch"


def test_several_libraries_of_one_folder_are_named(
    elsewhere: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = photos.parent / "more/.twobranch"
    index(other, photos / "holiday", encoder)
    remember_library(other)
    monkeypatch.chdir(photos)
    assert find_library() == elsewhere  # the other one holds a part of it
    monkeypatch.chdir(photos / "holiday")
    for find in (find_library, library_for_indexing):
        with pytest.raises(LibraryError, match=f"{elsewhere} and {other}; name one of them with --library"):
            find()


def test_the_catalogue_says_what_a_library_holds(elsewhere: Path, photos: Path) -> None:
    moved = photos.rename(photos.parent / "moved")
    relocate(elsewhere, photos, moved)
    assert (libraries_holding(photos), libraries_holding(moved)) == ([], [elsewhere])
    forget(elsewhere, [moved])
    assert libraries_holding(moved) == []


def test_libraries_that_are_gone_damaged_or_not_ours_are_ignored(
    elsewhere: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(known_libraries, "is_ours", lambda path: False)
        assert libraries_holding(photos) == []
    assert libraries_holding(photos) == [elsewhere]
    (elsewhere / "catalog.sqlite").write_bytes(b"no catalogue")
    assert libraries_holding(photos) == []
    shutil.rmtree(elsewhere)
    assert libraries_holding(photos) == []


def test_entries_with_anything_in_them_are_ignored(elsewhere: Path, photos: Path, cache: Path) -> None:
    for number, content in enumerate((b"", b"\xff\x00/x", b"relative", b"/no/such/library", b"/a\x00b")):
        (cache / str(number)).write_bytes(content)
    assert libraries_holding(photos) == [elsewhere]


def test_nothing_is_written_for_a_library_above_its_photos(
    library: Path, photos: Path, encoder: FakeEncoder, cache: Path
) -> None:
    index(library, photos, encoder)
    remember_library(library)
    assert not cache.exists()
    named = photos.parent / "lib"  # it has another name, so it is not found upwards
    index(named, photos, encoder)
    remember_library(named)
    assert libraries_holding(photos) == [named]


def test_a_cache_folder_that_cannot_be_written_is_no_error(
    photos: Path, encoder: FakeEncoder, cache: Path
) -> None:
    library = photos.parent / "data/.twobranch"
    index(library, photos, encoder)
    cache.parent.write_bytes(b"a file, where a folder should be")
    remember_library(library)
    assert libraries_holding(photos) == []
