"""A catalogued photo is opened as indexing would open it, whatever lies in its place by now."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images
from twobranch.common.errors import ImageError
from twobranch.indexer.catalog.photo_facts import photo_file
from twobranch.indexer.catalog.photo_file import PhotoFile, ProvenFiles, open_original, open_photo_file
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library


def catalogued(library: Path, path: str) -> PhotoFile:
    """A photo by its path within the folder that holds the library."""
    with closing(CatalogReader.open(library)) as reader:
        file = photo_file(reader, images(library)[path].id)
    assert file is not None
    return file


def content(photo: PhotoFile, proven: ProvenFiles | None = None) -> bytes:
    """What is handed out of it."""
    with open_original(photo, proven or ProvenFiles()).file as file:
        return file.read()


def test_a_file_as_it_was_indexed_and_one_that_has_changed(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    update_library(library, [photos], encoder)
    red = catalogued(library, "photos/red.png")
    assert content(red) == (photos / "red.png").read_bytes()
    with (opened := open_photo_file(red)).file:
        assert (opened.as_indexed, opened.size) == (True, (photos / "red.png").stat().st_size)
    (photos / "red.png").write_bytes(b"something else")
    with (opened := open_photo_file(red)).file:
        assert (opened.as_indexed, opened.file.read()) == (False, b"something else")


def test_links_that_were_indexed_are_followed_wherever_they_lead(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    elsewhere = write_photo(tmp_path / "elsewhere/rose.png", (200, 0, 0))
    (photos / "link.png").symlink_to(elsewhere)
    update_library(library, [photos], encoder)
    assert content(catalogued(library, "photos/link.png")) == elsewhere.read_bytes()


def replace_by_link(photo: Path, secret: Path) -> None:
    photo.unlink()
    photo.symlink_to(secret)


def replace_by_pipe(photo: Path, secret: Path) -> None:
    photo.unlink()
    os.mkfifo(photo)


def replace_by_folder(photo: Path, secret: Path) -> None:
    photo.unlink()
    photo.mkdir()


def replace_its_folder_by_link(photo: Path, secret: Path) -> None:
    photo.parent.rename(photo.parent.with_name("moved"))
    photo.parent.symlink_to(secret.parent)


def remove(photo: Path, secret: Path) -> None:
    photo.unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replace_by_link, "a link to something else than was indexed; run `index`"),
        (replace_by_pipe, "not a regular file"),
        (replace_by_folder, "not a regular file"),
        (replace_its_folder_by_link, "not a file of its folder any more"),
        (remove, "no such file"),
    ],
)
def test_what_lies_in_its_place_is_not_opened(
    change: Callable[[Path, Path], None],
    reason: str,
    library: Path,
    photos: Path,
    tmp_path: Path,
    encoder: FakeEncoder,
) -> None:
    photo, secret = write_photo(photos / "in/a.png", "red"), write_photo(tmp_path / "secret/a.png", "blue")
    update_library(library, [photos], encoder)
    known = catalogued(library, "photos/in/a.png")
    change(photo, secret)
    with pytest.raises(ImageError) as error:
        content(known)
    assert error.value.reason == reason


def test_a_link_to_what_was_never_a_photo_is_not_followed(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    """Indexing reads it as well, finds no photo in it, and notes its size and time."""
    (tmp_path / "passwords").write_text("secret")
    (photos / "link.png").symlink_to(tmp_path / "passwords")
    update_library(library, [photos], encoder)
    with pytest.raises(ImageError, match="not a photo when it was indexed"):
        content(catalogued(library, "photos/link.png"))


@pytest.mark.parametrize("path", ["../secret/a.png", "x/../../secret/a.png", "passwords"])
def test_a_catalogue_that_somebody_else_wrote(
    path: str, library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    """No scan finds such paths."""
    write_photo(tmp_path / "secret/a.png", "blue")
    (photos / "passwords").write_text("secret")
    (photos / "x").mkdir()
    update_library(library, [photos], encoder)
    known = catalogued(library, "photos/red.png")
    forged = PhotoFile(1, known.root, type(known.file)(path, 6, 0), known.content_hash, None)
    with pytest.raises(ImageError, match="no such file"):
        open_photo_file(forged)


def test_no_file_stays_open(library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photo(photos / "in/a.png", "red")
    update_library(library, [photos], encoder)
    known = catalogued(library, "photos/in/a.png")
    count = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    content(known)
    replace_by_pipe(photos / "in/a.png", tmp_path)
    with pytest.raises(ImageError):
        open_photo_file(known)
    if count:
        assert len(list(Path("/proc/self/fd").iterdir())) == count
