"""Marks to and from XMP sidecars. Photos are never changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twobranch.common.atomic import replacing
from twobranch.common.errors import UserError
from twobranch.common.progress import Progress, showing
from twobranch.indexer.catalog.albums import add_to_album, album_names, albums_by_photo, create_album
from twobranch.indexer.catalog.collection_names import checked_name, find_name
from twobranch.indexer.catalog.marks import marked_photos, marks_of, set_marks
from twobranch.indexer.catalog.photo_places import all_photos, paths_of
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.writing import Transaction, writing
from twobranch.indexer.disk.xmp import (
    SUFFIX,
    SidecarError,
    SidecarMarks,
    Sidecars,
    marks_in,
    read_sidecar,
    with_marks,
)


@dataclass(frozen=True)
class FailedSidecar:
    """A sidecar that was left as it is."""

    path: Path
    reason: str


@dataclass(frozen=True)
class ExportedMarks:
    """The sidecars that were written."""

    written: tuple[Path, ...]
    unchanged: int  # that had these marks already
    failed: tuple[FailedSidecar, ...]


@dataclass(frozen=True)
class ImportedMarks:
    """The marks that were read from sidecars."""

    sidecars: int  # with marks
    ratings: int
    favourites: int
    albums: tuple[str, ...]  # the names
    failed: tuple[FailedSidecar, ...]


@dataclass
class _Found:
    """Marks that sidecars have, by photo id."""

    ratings: dict[int, list[int]] = field(default_factory=dict)  # the ids of each rating
    favourites: dict[bool, list[int]] = field(default_factory=dict)
    albums: dict[str, list[int]] = field(default_factory=dict)
    sidecars: int = 0

    def add(self, photo: int, marks: SidecarMarks) -> None:
        """Add the marks of a photo."""
        if marks != SidecarMarks():
            self.sidecars += 1
        if marks.rating is not None:
            self.ratings.setdefault(marks.rating, []).append(photo)
        if marks.favourite is not None:
            self.favourites.setdefault(marks.favourite, []).append(photo)
        for album in marks.albums:
            self.albums.setdefault(album, []).append(photo)


def export_marks(
    library: Path, photos: Mapping[int, Path] | None, folder: Path | None, progress: Progress
) -> ExportedMarks:
    """Write the marks of photos into their sidecars.

    None means all photos with marks. The sidecars lie beside the photos, or in ``folder`` below the photos'
    whole paths. A sidecar keeps all else that it has, a rating of another program too where the library has
    none. Raises ``LibraryError``.
    """
    with closing(CatalogReader.open(library)) as reader:
        ids = marked_photos(reader) if photos is None else list(photos)
        paths = paths_of(reader, ids) if photos is None else photos
        marks, albums = marks_of(reader, ids), albums_by_photo(reader, ids)
    written: list[Path] = []
    failed: list[FailedSidecar] = []
    unchanged = 0
    with showing(progress, "sidecars", len(paths)):
        for photo, there in _with_sidecars(paths, folder, failed):
            progress.advance()
            own = marks[photo]
            target = there or _new_sidecar(paths[photo], folder)
            try:
                wanted = SidecarMarks(own.rating, own.favourite, albums.get(photo, ()))
                if _write(target, wanted, is_new=there is None):
                    written.append(target)
                else:
                    unchanged += 1
            except SidecarError as error:
                failed.append(FailedSidecar(target, str(error)))
            except OSError as error:
                failed.append(FailedSidecar(target, (error.strerror or str(error)).lower()))
    return ExportedMarks(tuple(written), unchanged, tuple(failed))


def import_marks(
    library: Path, photos: Mapping[int, Path] | None, folder: Path | None, progress: Progress
) -> ImportedMarks:
    """Take marks from the sidecars of photos.

    None means all photos of the library. A sidecar decides where it says something, and nothing is removed
    where it does not: a photo keeps its rating, and its albums. Raises ``LibraryError``, and ``UserError``
    for a folder that is missing.
    """
    if folder is not None and not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `xmp export --out {folder}` writes one")
    with closing(CatalogReader.open(library)) as reader:
        paths = paths_of(reader, all_photos(reader)) if photos is None else photos
        known = album_names(reader)
    found, failed = _Found(), list[FailedSidecar]()
    with showing(progress, "sidecars", len(paths)):
        for photo, sidecar in _with_sidecars(paths, folder, failed):
            progress.advance()
            if sidecar is None:
                continue
            try:
                own = marks_in(read_sidecar(sidecar))
                for name in own.albums:
                    checked_name(name, "album")
                found.add(photo, own)
            except UserError as error:
                failed.append(FailedSidecar(sidecar, str(error)))
            except OSError as error:
                failed.append(FailedSidecar(sidecar, (error.strerror or str(error)).lower()))
    with writing(library) as connection:
        _store(connection, found, known)
    return ImportedMarks(
        found.sidecars,
        sum(map(len, found.ratings.values())),
        len(found.favourites.get(True, ())),
        tuple(found.albums),
        tuple(failed),
    )


def _store(connection: Transaction, found: _Found, known: Sequence[tuple[int, str]]) -> None:
    """Store the marks that were found. Albums of new names are made."""
    for rating, photos in found.ratings.items():
        set_marks(connection, photos, rating=rating)
    for favourite, photos in found.favourites.items():
        set_marks(connection, photos, favourite=favourite)
    names = list(known)
    for name, photos in found.albums.items():
        album = find_name(names, name)
        if album is None:
            album = create_album(connection, name)
            names.append((album, name))
        add_to_album(connection, album, photos)


def _with_sidecars(
    photos: Mapping[int, Path], folder: Path | None, failed: list[FailedSidecar]
) -> Iterator[tuple[int, Path | None]]:
    """Yield photo ids with their sidecars, folder by folder.

    A folder of photos that cannot be listed, as on a drive that is away, goes to ``failed``.
    """
    listed: Path | None = None
    sidecars: Sidecars | None = None
    for photo, path in sorted(photos.items(), key=lambda item: item[1].parent):
        place = path.parent if folder is None else _new_sidecar(path, folder).parent
        if place != listed:
            listed = place
            try:
                sidecars = Sidecars(place)
            except OSError as error:
                sidecars = None
                if folder is None:
                    failed.append(FailedSidecar(place, (error.strerror or str(error)).lower()))
        if sidecars is not None:
            yield photo, sidecars.of(path.name)
        elif folder is not None:  # it will be made
            yield photo, None


def _new_sidecar(photo: Path, folder: Path | None) -> Path:
    """Return the path of a sidecar that does not exist yet."""
    place = photo if folder is None else folder / photo.relative_to(photo.anchor)
    return place.with_name(f"{photo.name}{SUFFIX}")


def _write(path: Path, marks: SidecarMarks, *, is_new: bool) -> bool:
    """Write marks into a sidecar; return False if it has them already.

    Raises ``SidecarError`` and ``OSError``.
    """
    if path.is_symlink():
        raise SidecarError("is a link")
    old = None if is_new else read_sidecar(path)
    there = SidecarMarks() if old is None else marks_in(old)
    if _merged(there, marks) == _merged(there, there):
        return False
    new = with_marks(old, marks)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(new)
        if old is not None:
            shutil.copymode(path, partial)
    return True


def _merged(there: SidecarMarks, marks: SidecarMarks) -> tuple[int | None, bool, list[str]]:
    """Return what a sidecar says after marks are written into it."""
    return marks.rating or there.rating, bool(marks.favourite), sorted(marks.albums)


def failure_lines(failed: Sequence[FailedSidecar], say: Callable[[str], None]) -> None:
    """Say a line for each failure."""
    for one in failed:
        say(f"{one.path}: {one.reason}")


def failures_as_json(failed: Sequence[FailedSidecar]) -> list[dict[str, Any]]:
    """Return the failures as JSON data."""
    return [{"path": str(one.path), "reason": one.reason} for one in failed]
