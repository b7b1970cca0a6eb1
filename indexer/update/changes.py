"""The changes on disk since a library was indexed, and its last run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from twobranch.indexer.catalog import thumbnails as thumbnailcache
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.reader import GALLERIES
from twobranch.indexer.catalog.roots import all_roots
from twobranch.indexer.catalog.settings import load_choices, load_setting, store_setting
from twobranch.indexer.catalog.tables import Catalog, Session
from twobranch.indexer.disk.relative_paths import relative_to_root
from twobranch.indexer.update.drives import load_drives
from twobranch.indexer.update.remembered import caption_plan, known_targets
from twobranch.indexer.update.run import Tally
from twobranch.indexer.update.scan_scope import Looked, by_root
from twobranch.indexer.update.survey import looks_at, plan_root
from twobranch.indexer.update.targets import Scope

LAST_RUN = "last_index"


@dataclass(frozen=True)
class Changes:
    """The numbers of photos and caption files that the next plain `index` finds changed."""

    new: int
    changed: int
    gone: int
    caption_files: int


def count_changes(catalog: Catalog) -> Changes:
    """Compare the folders within reach with the catalogue, by size and time; no photo is opened."""
    with catalog.session() as session:
        choices = load_choices(session)
        drives = load_drives(session)
        roots = {Path(root.path): root.id for root in all_roots(session)}
    places = [
        (Scope(root_id, root, relative_to_root(target.path, root)), target)
        for target in known_targets(catalog, choices, warn=lambda _: None)
        for root, root_id in roots.items()
        if target.path.is_relative_to(root)
    ]
    new = changed = gone = 0
    for looks in by_root(looks_at(places, choices, drives)):
        plan = plan_root(catalog, [Looked(look, look.scan()) for look in looks])
        new += plan.new
        changed += plan.changed
        gone += len(plan.gone)
    return Changes(new, changed, gone, caption_plan(catalog).changed)


def disk_use(library: Path) -> dict[str, int]:
    """Bytes of the catalogue, of the index files, of thumbnails, and of the library folder as a whole."""
    sizes = {}
    for path in library.iterdir():
        with suppress(OSError):  # deleted since it was listed
            if path.is_file():
                sizes[path.name] = path.stat().st_size
    thumbnails = thumbnailcache.disk_use(library)
    prefixes = tuple(f"{gallery}-" for gallery in GALLERIES)
    return {
        "catalogue": sum(size for name, size in sizes.items() if name.startswith(CATALOG)),
        "index": sum(size for name, size in sizes.items() if name.startswith(prefixes)),
        "thumbnails": thumbnails,
        "total": sum(sizes.values()) + thumbnails,
    }


def remember_run(catalog: Catalog, tally: Tally) -> None:
    """Store when a run of `index` ended, and what it changed."""
    facts = {
        # A page tells runs apart by it, and two may end within a second.
        "ended": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "added": tally.added,
        "updated": tally.updated,
        "moved": tally.moved,
        "removed": tally.removed,
        "failed": len(tally.failed),
    }
    with catalog.session(write=True) as session:
        store_setting(session, LAST_RUN, facts)


def last_run(session: Session) -> dict[str, Any] | None:
    """The facts of the last run, as ``remember_run`` stored them; None before the first ended."""
    facts: dict[str, Any] | None = load_setting(session, LAST_RUN)
    return facts
