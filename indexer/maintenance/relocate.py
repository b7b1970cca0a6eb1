"""Taking photos out of a library, and telling it that its folders are somewhere else; no file is touched."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twobranch.common.errors import UserError
from twobranch.common.paths import expanded, is_folder
from twobranch.indexer.catalog.captions import all_corpora
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.catalog.photos import delete_photos, has_photos, photo_paths, sample_photos
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.roots import all_roots, count_photos_by_root, delete_roots, move_roots
from twobranch.indexer.catalog.settings import load_choices, store_choices
from twobranch.indexer.catalog.tables import Catalog, Root, Session, active_model
from twobranch.indexer.catalog.thumbnails import remove_orphans
from twobranch.indexer.disk.foreign_paths import is_of_windows, lies_in
from twobranch.indexer.disk.foreign_paths import moved as moved_path
from twobranch.indexer.disk.names import as_listed
from twobranch.indexer.disk.relative_paths import covers, relative_to_root
from twobranch.indexer.vectors.index import open_index

_SAMPLE = 200  # photos that are looked for in the new place


@dataclass(frozen=True)
class Forgotten:
    """What `forget` took out of the library for one path."""

    path: Path
    photos: int
    roots: int  # that went as a whole


def forget(library: Path, paths: Sequence[Path]) -> list[Forgotten]:
    """Takes folders and photos out of the library: rows, vectors and thumbnails go, files and captions stay.

    A part of a folder that is still indexed stays away until it is named. Raises ``UserError`` for a path of
    which the library has nothing (nothing is forgotten then), and ``LibraryError``.
    """
    with closing(Catalog.open(library)) as catalog, indexing_lock(library, "forget"):
        with catalog.session(write=True) as session:
            forgotten = [_forget(session, path) for path in dict.fromkeys(paths)]
            model = active_model(session)
        with closing(CatalogReader.open(library)) as reader:
            remove_orphans(reader)  # whoever forgets a photo wants no small one to stay
            if model is not None:
                open_index(reader, "images", model.id, model.dim)  # else the next search would write it
    return forgotten


def _forget(session: Session, given: Path) -> Forgotten:
    roots = {root.id: root.path for root in all_roots(session)}
    for path in _meanings(given):
        inside = [id for id, root in roots.items() if Path(root).is_relative_to(path)]
        ids = []
        for id, root in roots.items():
            if path.is_relative_to(root):
                below = relative_to_root(path, Path(root))
                ids += [photo for photo, name in photo_paths(session, id) if covers(below, name)]
            elif id in inside:
                ids += [photo for photo, _ in photo_paths(session, id)]
        if inside or ids:
            break
    else:
        raise UserError(f"{given}: the library has nothing of it, so nothing was forgotten; see `status`")
    delete_photos(session, ids)
    delete_roots(session, inside)
    choices = load_choices(session)
    without = choices.forgetting(path, roots.values())
    store_choices(session, without)
    for id, root in roots.items():
        named_no_more = choices.targets(Path(root)) != without.targets(Path(root)) == {Path(root): None}
        if named_no_more and not has_photos(session, id):
            delete_roots(session, [id])  # else all of it would count from now on
    return Forgotten(path, len(ids), len(inside))


# --- relocate ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MovedRoot:
    """A root, before and after."""

    old: Path
    new: Path
    photos: int


@dataclass(frozen=True)
class Relocation:
    """What `relocate` did."""

    roots: tuple[MovedRoot, ...]
    looked_for: int  # photos, a sample
    found: int  # of them, with the size that the catalogue knows
    caption_files: int  # that went along

    def as_json(self) -> dict[str, Any]:
        """The shape of ``relocate --json``."""
        return {
            "folders": [
                {"from": str(root.old), "to": str(root.new), "photos": root.photos} for root in self.roots
            ],
            "looked_for": self.looked_for,
            "found": self.found,
            "caption_files": self.caption_files,
        }


def relocate(library: Path, old: Path, new: Path, *, force: bool = False) -> Relocation:
    """Tells the library that the folders at ``old`` are at ``new`` now. Nothing is encoded or scanned.

    ``old`` is a root or a folder above several, of this system or, in a library that comes from there, of
    Windows. Raises ``UserError`` when it is neither, when ``new`` is no
    folder, when fewer than half of a sample of the photos are there (``force`` takes that), and when roots
    would come to lie in one another; and ``LibraryError``.
    """
    new = as_listed(expanded(new).resolve())
    if not is_folder(new):
        raise UserError(f"{new}: no such folder; name the one that holds the photos now")
    with (
        closing(Catalog.open(library)) as catalog,
        indexing_lock(library, "relocate"),
        catalog.session(write=True) as session,
    ):
        old, roots = _roots_at(session, old)
        moved = {root.id: path for root in roots if (path := moved_path(root.path, old, new)) is not None}
        _check_apart(session, moved)
        looked_for, found = _look_for_photos(session, moved)
        if 2 * found < looked_for and not force:
            raise UserError(
                f"{new}: only {found} of {looked_for} photos looked for are there with the size they "
                "had; if it is the right folder all the same, add --force (`index` then drops the others)"
            )
        photos = count_photos_by_root(session)
        rows = [MovedRoot(Path(root.path), moved[root.id], photos.get(root.id, 0)) for root in roots]
        move_roots(session, moved)
        caption_files = _move_corpora(session, old, new)
        store_choices(session, load_choices(session).moved(old, new))
    return Relocation(tuple(rows), looked_for, found, caption_files)


def _meanings(path: Path) -> list[Path]:
    """The absolute path as it is typed, and with its links followed: the catalogue may have either."""
    if is_of_windows(path):
        return [path]
    typed = Path(os.path.normpath(expanded(path).absolute()))
    followed = typed.parent.resolve() / typed.name
    return list(dict.fromkeys((typed, followed, typed.resolve(), as_listed(followed))))


def _roots_at(session: Session, given: Path) -> tuple[Path, list[Root]]:
    """The meaning of ``given`` that roots lie at, and those roots."""
    every = all_roots(session)
    for old in _meanings(given):
        roots = [root for root in every if lies_in(root.path, old)]
        if roots:
            return old, roots
    for old in _meanings(given):
        above = [root.path for root in every if lies_in(old, root.path)]
        if above:
            raise UserError(
                f"{given}: lies inside the folder {above[0]}; what moved within a folder is found by `index`"
            )
    raise UserError(f"{given}: not a folder of this library; `status` lists them")


def _check_apart(session: Session, moved: dict[int, Path]) -> None:
    """Raises ``UserError`` when a moved root would lie in another root, or hold it."""
    staying = [Path(root.path) for root in all_roots(session) if root.id not in moved]
    for path in moved.values():
        for other in staying:
            if path.is_relative_to(other) or other.is_relative_to(path):
                raise UserError(
                    f"{path}: would overlap with the folder {other}, which the library has as well; "
                    f"`forget {other}` first, or `index {path}` instead"
                )


def _look_for_photos(session: Session, moved: dict[int, Path]) -> tuple[int, int]:
    """How many photos, evenly from all, were looked for in the new place, and how many were there."""
    rows = sample_photos(session, moved, _SAMPLE)
    return len(rows), sum(_size(moved[root_id] / path) == size for root_id, path, size in rows)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _move_corpora(session: Session, old: Path, new: Path) -> int:
    """Takes along the caption files that lie with the photos; returns how many."""
    corpora = all_corpora(session)
    known = {corpus.path for corpus in corpora}
    count = 0
    for corpus in corpora:
        path = moved_path(corpus.path, old, new)
        if path is not None and path.exists() and str(path) not in known:
            corpus.path = str(path)
            count += 1
    return count
