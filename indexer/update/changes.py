"""Changes on disk since the last run, and its record."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from twobranch.common.paths import is_folder
from twobranch.indexer.catalog import thumbnails as thumbnailcache
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.reader import VECTOR_KINDS
from twobranch.indexer.catalog.roots import all_roots, count_photos_by_root
from twobranch.indexer.catalog.settings import load_choices, load_setting, store_setting
from twobranch.indexer.catalog.tables import Catalog, Session
from twobranch.indexer.disk.relative_paths import relative_to_root
from twobranch.indexer.update.drives import load_drives
from twobranch.indexer.update.remembered import caption_plan, known_targets
from twobranch.indexer.update.run import RunStats
from twobranch.indexer.update.scan_scope import ScannedScope, by_root
from twobranch.indexer.update.survey import plan_root, scan_scopes
from twobranch.indexer.update.targets import Scope

LAST_RUN = "last_index"


@dataclass(frozen=True)
class Changes:
    """The numbers of changes that the next plain `index` will find.

    They count photos, and for ``caption_files`` the caption files that were written to. ``unreachable``
    counts photos whose folder or drive is away, so that nothing is known of them.
    """

    new: int
    changed: int
    gone: int
    caption_files: int
    unreachable: int


def count_changes(catalog: Catalog) -> Changes:
    """Compare the folders with the catalogue.

    Files are compared by size and modification time; no photo is opened.
    """
    with catalog.session() as session:
        choices = load_choices(session)
        drives = load_drives(session)
        roots = {Path(root.path): root.id for root in all_roots(session)}
        photos_in = count_photos_by_root(session)
    places = [
        (Scope(root_id, root, relative_to_root(target.path, root)), target)
        for target in known_targets(catalog, choices, warn=lambda _: None)
        for root, root_id in roots.items()
        if target.path.is_relative_to(root)
    ]
    new = changed = gone = 0
    unreachable = sum(photos_in.get(id, 0) for root, id in roots.items() if not is_folder(root))
    for group in by_root(scan_scopes(places, choices, drives)):
        plan = plan_root(catalog, [ScannedScope(place, place.scan()) for place in group])
        new += plan.new
        changed += plan.changed
        gone += len(plan.gone)
        unreachable += plan.unreachable
    return Changes(new, changed, gone, caption_plan(catalog).changed, unreachable)


def disk_use(library: Path) -> dict[str, int]:
    """Return the disk use of a library in bytes, by part.

    The parts are the catalogue, the index files and the thumbnails; ``total`` is the whole folder.
    """
    sizes = {}
    for path in library.iterdir():
        with suppress(OSError):  # deleted since it was listed
            if path.is_file():
                sizes[path.name] = path.stat().st_size
    thumbnails = thumbnailcache.disk_use(library)
    prefixes = tuple(f"{kind}-" for kind in VECTOR_KINDS)
    return {
        "catalogue": sum(size for name, size in sizes.items() if name.startswith(CATALOG)),
        "index": sum(size for name, size in sizes.items() if name.startswith(prefixes)),
        "thumbnails": thumbnails,
        "total": sum(sizes.values()) + thumbnails,
    }


def remember_run(catalog: Catalog, stats: RunStats) -> None:
    """Store the end time and the counts of a run of `index`."""
    facts = {
        # Milliseconds: a page distinguishes runs by this time, and two may end within a second.
        "ended": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "added": stats.added,
        "updated": stats.updated,
        "moved": stats.moved,
        "removed": stats.removed,
        "failed": len(stats.failed),
    }
    with catalog.session(write=True) as session:
        store_setting(session, LAST_RUN, facts)


def last_run(session: Session) -> dict[str, Any] | None:
    """Return the record of the last run, or None before the first.

    Its keys are those that ``remember_run`` stores.
    """
    facts: dict[str, Any] | None = load_setting(session, LAST_RUN)
    return facts
