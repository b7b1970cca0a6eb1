"""The paths of a run, their roots, and deleted paths."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from twobranch.common.errors import UserError
from twobranch.common.paths import expanded
from twobranch.indexer.catalog.photos import move_photos, photo_paths
from twobranch.indexer.catalog.roots import add_root, all_roots, delete_roots
from twobranch.indexer.catalog.tables import Catalog, Root, Session
from twobranch.indexer.disk.availability import may_be_unmounted
from twobranch.indexer.disk.names import as_listed
from twobranch.indexer.disk.relative_paths import covers, relative_to_root
from twobranch.indexer.disk.rules import is_hidden_below
from twobranch.indexer.disk.walk import is_photo_name
from twobranch.indexer.update.run import Run


@dataclass(frozen=True)
class Scope:
    """The part of a root that a run scans.

    It is the whole root, a folder below it, or one photo.
    """

    root_id: int
    root: Path
    below: str  # relative to the root; "" for all of it

    def covers(self, path: str) -> bool:
        """Return True if a path lies in this part or is it.

        The path is relative to the root.
        """
        return covers(self.below, path)


def split_targets(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split paths into absolute targets and missing ones.

    A target that the scan of another target includes is left out. Raises ``UserError`` for a path that cannot
    be reached, or that is neither a photo nor a folder.
    """
    targets, missing = [], []
    for path in paths:
        path = expanded(path)
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            gone = path.parent.resolve() / path.name if is_photo_name(path.name) else path.resolve()
            missing.append(as_listed(gone))
            continue
        except OSError as error:
            raise UserError(
                f"{path}: {(error.strerror or str(error)).lower()}; nothing was indexed"
            ) from None
        if path.is_dir():
            targets.append(as_listed(path.resolve()))
        elif path.is_file() and is_photo_name(path.name):
            targets.append(as_listed(path.parent.resolve() / path.name))  # keep the name of a link
        else:
            raise UserError(f"{path}: not a photo or a folder; nothing was indexed")
    given = dict.fromkeys(targets)
    kept = [
        path for path in given if not any(above in given and _leads_to(above, path) for above in path.parents)
    ]
    return kept, list(dict.fromkeys(missing))


def _leads_to(folder: Path, path: Path) -> bool:
    return not is_hidden_below(relative_to_root(path, folder), "")


def scope_of(session: Session, target: Path) -> Scope:
    """Return the scope of a path in its root.

    A root is created if none contains the path. It takes over the photos of roots that lie in it.
    """
    folder = folder_of(target)
    roots = all_roots(session)
    for root in roots:
        if folder.is_relative_to(root.path):
            return Scope(root.id, Path(root.path), relative_to_root(target, Path(root.path)))
    new = add_root(session, folder)
    for root in roots:
        if Path(root.path).is_relative_to(folder):
            _adopt(session, new, root)
    return Scope(new.id, folder, relative_to_root(target, folder))


def folder_of(target: Path) -> Path:
    """Return the folder itself, or the folder of a photo.

    A path that no longer exists is judged by its name: a folder that vanished with its drive must not be
    taken for a photo in the folder above.
    """
    return target.parent if is_photo_name(target.name) and not target.is_dir() else target


def _adopt(session: Session, parent: Root, child: Root) -> None:
    """Move the photos of a root to its new parent root.

    Their ids and vectors stay.
    """
    prefix = relative_to_root(Path(child.path), Path(parent.path))
    moved = {id: f"{prefix}/{path}" for id, path in photo_paths(session, child.id)}
    move_photos(session, parent.id, moved)
    delete_roots(session, [child.id])


# --- deleted paths ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deleted:
    """A path that was deleted, with its roots and photos."""

    path: Path
    root_ids: frozenset[int]
    image_ids: frozenset[int]


def deleted_paths(catalog: Catalog, missing: Sequence[Path]) -> list[Deleted]:
    """Return the catalogue's roots and photos at missing paths.

    Raises ``UserError`` for a path that the catalogue does not know, and for one that may lie on a drive that
    is not connected.
    """
    deleted = []
    with catalog.session() as session:
        roots = {root.id: Path(root.path) for root in all_roots(session)}
        for path in missing:
            images: list[int] = []
            for root_id, root in roots.items():
                if not (root.is_relative_to(path) or path.is_relative_to(root)):
                    continue
                rows = photo_paths(session, root_id)
                images += [id for id, below in rows if (root / below).is_relative_to(path)]
            root_ids = [root_id for root_id, root in roots.items() if root.is_relative_to(path)]
            if not images and not root_ids:
                raise not_found(path)
            if may_be_unmounted(path):
                raise UserError(
                    f"{path}: cannot be reached (is its drive mounted?), so nothing was removed or indexed; "
                    "if it was deleted for good, create it again with any file in it and index that"
                )
            deleted.append(Deleted(path, frozenset(root_ids), frozenset(images)))
    return deleted


def not_found(path: Path) -> UserError:
    """Return the error for a missing path unknown to the library."""
    return UserError(f"{path}: no such file or directory; nothing was indexed")


def remove_roots(run: Run, deleted: Sequence[Deleted], gone: Container[int]) -> None:
    """Delete the roots of deleted paths.

    Their photos were removed, or found elsewhere.
    """
    for one in deleted:
        count = sum(id in gone for id in one.image_ids)
        run.warn(f"{one.path} no longer exists; {count} photos of it were removed from the library")
        with run.catalog.session(write=True) as session:
            delete_roots(session, one.root_ids)
