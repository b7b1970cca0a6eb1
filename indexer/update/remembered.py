"""The folders and caption files that a plain `index` scans again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from twobranch.common.errors import UserError
from twobranch.common.paths import is_folder
from twobranch.indexer.catalog.captions import caption_files, note_failure
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.photos import photo_paths
from twobranch.indexer.catalog.roots import all_roots
from twobranch.indexer.catalog.settings import Choices, Limit
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.disk.availability import may_be_away
from twobranch.indexer.disk.relative_paths import covers, relative_to_root
from twobranch.indexer.disk.walk import written_ns
from twobranch.indexer.update.captions import ChosenCaptions, PhotoNames, choose_captions, file_state
from twobranch.indexer.update.compare import CaptionPlan, compare_captions
from twobranch.indexer.update.run import Run


@dataclass(frozen=True)
class Target:
    """A folder or photo to scan.

    With a limit, only the photos that have one of ``names`` count.
    """

    path: Path
    limit: Limit | None
    names: PhotoNames | None


def known_roots(catalog: Catalog) -> list[Path]:
    """Return the roots of a library, sorted by name."""
    with catalog.session() as session:
        return [Path(root.path) for root in all_roots(session)]


def has_folders(library: Path) -> bool:
    """Return True if the library has a folder. Raises ``LibraryError``."""
    if not (library / CATALOG).is_file():
        return False
    with closing(Catalog.open(library)) as catalog:
        return bool(known_roots(catalog))


def known_targets(
    catalog: Catalog,
    choices: Choices,
    warn: Callable[[str], None],
    within: Collection[Path] | None = None,
) -> list[Target]:
    """Return the targets of all roots, or of those ``within``.

    A place that cannot be reached gives a warning, and its photos are kept.
    """
    targets: list[Target] = []
    names: dict[Limit | None, PhotoNames | None] = {None: None}
    for root in known_roots(catalog):
        if within is not None and root not in within:
            continue
        if not is_folder(root):
            count = len(_photos_in(catalog, root))
            warn(f"{root}: cannot be reached; its {count:,} photos are kept as they are")
            continue
        rules = choices.rules(root)
        for path, limit in choices.targets(root).items():
            below = relative_to_root(path, root)
            if rules.exclude_on_the_way(below, below=""):
                continue
            if path != root and may_be_away(path) and _photos_in(catalog, root, below):
                warn(f"{path}: cannot be reached, or is empty; its photos are kept as they are")
                continue
            try:
                if limit is not None and limit not in names:
                    chosen = choose_captions(Path(limit.captions), limit.split)
                    names[limit] = PhotoNames(chosen.image_names)
                targets.append(Target(path, limit, names[limit]))
            except UserError as error:
                warn(f"{path}: only the photos of a split were indexed, and {error}; nothing is changed")
    return targets


def caption_plan(catalog: Catalog) -> CaptionPlan:
    """Compare the library's caption files with the disk."""
    with catalog.session() as session:
        rows = caption_files(session)
    found: dict[str, tuple[int, int] | None] = {}
    for row in rows:
        try:
            status = Path(row.path).stat()
            found[row.path] = status.st_size, written_ns(status)
        except OSError:
            found[row.path] = None
    return compare_captions(found, rows)


def changed_captions(run: Run) -> list[ChosenCaptions]:
    """Read the caption files that were written to, and all sidecars.

    A file that cannot be reached or read gives a warning, and its captions are kept. Why it cannot be read is
    stored, for `status`.
    """
    plan = caption_plan(run.catalog)
    for row in plan.unreachable:
        run.warn(f"{row.path}: cannot be reached; its captions are kept as they are")
    changed = []
    for row in plan.read:
        # Before it is read, so that later writes count as a change.
        size, mtime_ns = file_state(Path(row.path))
        try:
            changed.append(choose_captions(Path(row.path), row.split))
        except OSError:  # it was removed since the comparison
            run.warn(f"{row.path}: cannot be reached; its captions are kept as they are")
        except UserError as error:
            run.warn(f"{error}; its captions are kept as they are")
            with run.catalog.session(write=True) as session:
                note_failure(session, row.path, size, mtime_ns, str(error))
    return changed


def _photos_in(catalog: Catalog, root: Path, below: str = "") -> list[str]:
    """Return the relative paths of a root's photos below a folder."""
    with catalog.session() as session:
        ids = [row.id for row in all_roots(session) if row.path == str(root)]
        paths = [path for root_id in ids for _, path in photo_paths(session, root_id)]
    return [path for path in paths if covers(below, path)]
