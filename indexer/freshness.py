"""Whether a library is up to date: what changed on disk since it was indexed, and when that was."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from indexer import thumbnailcache
from indexer.captions import NamedPhotos
from indexer.catalog import Catalog, Corpus, Image, ImageVector, Model, Root, Setting
from indexer.choices import load_choices
from indexer.database import CATALOG
from indexer.drives import load_drives
from indexer.known import is_folder, known_targets
from indexer.looking import Look, distinct
from indexer.reader import GALLERIES
from indexer.run import Tally
from indexer.scan import is_there, written_ns
from indexer.targets import Scope, is_empty, relative_to_root

LAST_RUN = "last_index"


@dataclass(frozen=True)
class Changes:
    """How many photos the next plain `index` would find new, changed and gone, and how many caption files."""

    new: int
    changed: int
    gone: int
    caption_files: int


def count_changes(catalog: Catalog) -> Changes:
    """Compares the folders within reach with the catalogue, by size and time; no photo is opened."""
    with catalog.session() as session:
        choices = load_choices(session)
        drives = load_drives(session)
        roots = {Path(root.path): root.id for root in session.scalars(select(Root))}
    targets = known_targets(catalog, choices, warn=lambda _: None)
    new = changed = gone = 0
    for root, root_id in roots.items():
        looks = distinct(
            Look(
                Scope(root_id, root, relative_to_root(target.path, root)),
                choices.rules(root),
                None if target.names is None else NamedPhotos(root, target.names),
                drives=drives.get(root_id, frozenset()),
            )
            for target in targets
            if target.path.is_relative_to(root)
        )
        scans = [(look, look.scan()) for look in looks]
        found = {path: file for _, one in scans for path, file in one.files.items()}
        unlisted = [Scope(root_id, root, folder) for _, one in scans for folder in one.unreadable]
        if not found and not unlisted and is_folder(root) and is_empty(root):
            continue  # as the mount point of a drive that is away is; `index` keeps what it has
        for path, size, mtime_ns in _known_photos(catalog, root_id):
            if not any(look.scope.covers(path) for look in looks):
                continue
            file = found.pop(path, None)
            if file is not None:
                changed += (file.size, file.mtime_ns) != (size, mtime_ns)
            elif not any(scope.covers(path) for scope in unlisted) and not is_there(root / path):
                gone += 1
        new += len(found)
    return Changes(new, changed, gone, _changed_corpora(catalog))


def _known_photos(catalog: Catalog, root_id: int) -> list[tuple[str, int, int]]:
    """The (relative path, size, time) of all photos of a root."""
    query = select(Image.path, Image.size, Image.mtime_ns).where(Image.root_id == root_id)
    with catalog.session() as session:
        return [(row.path, row.size, row.mtime_ns) for row in session.execute(query)]


def _changed_corpora(catalog: Catalog) -> int:
    """How many caption files were written to; of a folder of sidecars nobody knows without reading all."""
    count = 0
    with catalog.session() as session:
        corpora = session.scalars(select(Corpus).where(Corpus.format != "sidecar")).all()
    for corpus in corpora:
        with suppress(OSError):
            status = Path(corpus.path).stat()
            count += (status.st_size, written_ns(status)) != (corpus.size, corpus.mtime_ns)
    return count


def without_vector(model: Model | None) -> Select[Any]:
    """The readable photos that searches do not find, because the model has not encoded them."""
    model_id = None if model is None else model.id
    has = exists().where(ImageVector.image_id == Image.id, ImageVector.model_id == model_id)
    return select(Image).where(Image.failure.is_(None), ~has).order_by(Image.id)


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
    """Keeps when a run of `index` came to its end, and what it changed."""
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
        session.merge(Setting(key=LAST_RUN, value=json.dumps(facts)))


def last_run(session: Session) -> dict[str, Any] | None:
    """What ``remember_run`` kept of the last run; None before the first has ended."""
    setting = session.get(Setting, LAST_RUN)
    return None if setting is None else json.loads(setting.value)
