"""Removing photos and captions from a library; new paths for folders.

No photo file is changed.
"""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twobranch.common.errors import UserError
from twobranch.common.paths import expanded, is_folder
from twobranch.indexer.catalog.captions import DeletedCaptions, all_corpora, corpus_at, delete_corpus
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
from twobranch.indexer.vectors.index import kinds_with_index, open_index, remove_unused_files

_SAMPLE = 200  # photos to look for in the new place


@dataclass(frozen=True)
class Forgotten:
    """The result of `forget` for one path."""

    path: Path
    photos: int
    roots: int  # that were removed as a whole
    captions: int = 0  # of a caption file, or of a folder of sidecars
    captions_kept: int = 0  # that another caption file has too
    is_caption_file: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``forget --json``."""
        return {
            "path": str(self.path),
            "photos": self.photos,
            "captions": self.captions,
            "captions_kept": self.captions_kept,
        }


def forget(library: Path, paths: Sequence[Path]) -> list[Forgotten]:
    """Remove folders, photos and caption files from the library.

    Their rows, vectors and thumbnails are deleted; the files stay, and so do the captions of photos. The
    captions of a caption file go, but those that another file has too stay. A part of an indexed folder, or a
    caption file, is not indexed again until it is named. Raises ``UserError`` for a path that the library
    does not know (nothing is forgotten then), and ``LibraryError``.
    """
    with closing(Catalog.open(library)) as catalog, indexing_lock(library, "forget"):
        with catalog.session(write=True) as session:
            forgotten = [_forget(session, path) for path in dict.fromkeys(paths)]
            model = active_model(session)
        with closing(CatalogReader.open(library)) as reader:
            remove_orphans(reader)  # the thumbnails of forgotten photos must not stay
            if model is not None:
                for kind in kinds_with_index(reader, model.id):
                    open_index(reader, kind, model.id, model.dim)  # else the next search would update it
                remove_unused_files(reader, model.id)
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
        corpus = corpus_at(session, str(path))
        if inside or ids or corpus is not None:
            break
    else:
        raise UserError(f"{given}: the library has nothing of it, so nothing was forgotten; see `status`")
    captions = DeletedCaptions(0, 0) if corpus is None else delete_corpus(session, corpus)
    if corpus is not None and not (inside or ids):
        return Forgotten(path, 0, 0, captions.gone, captions.kept, is_caption_file=True)
    delete_photos(session, ids)
    delete_roots(session, inside)
    choices = load_choices(session)
    without = choices.forgetting(path, roots.values())
    store_choices(session, without)
    for id, root in roots.items():
        named_no_more = choices.targets(Path(root)) != without.targets(Path(root)) == {Path(root): None}
        if named_no_more and not has_photos(session, id):
            delete_roots(session, [id])  # else the whole root would be indexed from now on
    return Forgotten(path, len(ids), len(inside), captions.gone, captions.kept, corpus is not None)


# --- relocate ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MovedRoot:
    """A root with its old and new path."""

    old: Path
    new: Path
    photos: int


@dataclass(frozen=True)
class Relocation:
    """The result of `relocate`."""

    roots: tuple[MovedRoot, ...]
    looked_for: int  # photos of the sample
    found: int  # of them, with the size in the catalogue
    caption_files: int  # whose paths changed as well

    def as_json(self) -> dict[str, Any]:
        """Return the output of ``relocate --json``."""
        return {
            "folders": [
                {"from": str(root.old), "to": str(root.new), "photos": root.photos} for root in self.roots
            ],
            "looked_for": self.looked_for,
            "found": self.found,
            "caption_files": self.caption_files,
        }


def relocate(library: Path, old: Path, new: Path, *, force: bool = False) -> Relocation:
    """Change the paths of folders from ``old`` to ``new``.

    Nothing is encoded or scanned. ``old`` is a root or a folder above several roots. It may be a Windows path
    in a library that was made there. Raises ``UserError`` if it is neither, if ``new`` is not a folder, if
    fewer than half of a sample of the photos are there (``force`` accepts that), and if one root would lie in
    another. Raises ``LibraryError`` as well.
    """
    new = as_listed(expanded(new).resolve())
    if not is_folder(new):
        raise UserError(f"{new}: no such folder; name the one that has the photos now")
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
    """Return the forms in which the catalogue may have a path.

    They are absolute: as typed, and with links followed.
    """
    if is_of_windows(path):
        return [path]
    typed = Path(os.path.normpath(expanded(path).absolute()))
    followed = typed.parent.resolve() / typed.name
    return list(dict.fromkeys((typed, followed, typed.resolve(), as_listed(followed))))


def _roots_at(session: Session, given: Path) -> tuple[Path, list[Root]]:
    """Return the form of ``given`` that contains roots, and those roots.

    Raises ``UserError`` if there are none.
    """
    every = all_roots(session)
    for old in _meanings(given):
        roots = [root for root in every if lies_in(root.path, old)]
        if roots:
            return old, roots
    for old in _meanings(given):
        above = [root.path for root in every if lies_in(old, root.path)]
        if above:
            raise UserError(
                f"{given}: lies inside the folder {above[0]}; `index` finds photos that moved within a folder"
            )
    raise UserError(f"{given}: not a folder of this library; `status` lists them")


def _check_apart(session: Session, moved: dict[int, Path]) -> None:
    """Raise ``UserError`` if a moved root would overlap with another."""
    staying = [Path(root.path) for root in all_roots(session) if root.id not in moved]
    for path in moved.values():
        for other in staying:
            if path.is_relative_to(other) or other.is_relative_to(path):
                raise UserError(
                    f"{path}: would overlap with the folder {other}, which is also in the library; "
                    f"`forget {other}` first, or `index {path}` instead"
                )


def _look_for_photos(session: Session, moved: dict[int, Path]) -> tuple[int, int]:
    """Look for a sample of the photos in the new place.

    The sample is spread evenly. Returns its size and the number found.
    """
    rows = sample_photos(session, moved, _SAMPLE)
    return len(rows), sum(_size(moved[root_id] / path) == size for root_id, path, size in rows)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _move_corpora(session: Session, old: Path, new: Path) -> int:
    """Change the paths of caption files that lie with the photos.

    Returns their number.
    """
    corpora = all_corpora(session)
    known = {corpus.path for corpus in corpora}
    count = 0
    for corpus in corpora:
        path = moved_path(corpus.path, old, new)
        if path is not None and path.exists() and str(path) not in known:
            corpus.path = str(path)
            count += 1
    return count
