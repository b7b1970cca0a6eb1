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

from embedding.errors import UserError
from indexer.captions import NamedPhotos, PhotoNames, choose_captions
from indexer.catalog import Catalog, Corpus, Image, ImageVector, Model, Root, Setting
from indexer.choices import Limit, load_choices
from indexer.database import CATALOG
from indexer.known import is_folder
from indexer.reader import KINDS
from indexer.run import Tally
from indexer.scan import FoundFile, found_file, is_there, scan
from indexer.targets import Scope, may_be_unmounted, relative_to_root

_LAST_RUN = "last_index"


@dataclass(frozen=True)
class Changes:
    """How many photos the next plain `index` would find new, changed and gone, and how many caption files."""

    new: int
    changed: int
    gone: int
    caption_files: int


def count_changes(session: Session) -> Changes:
    """Compares the folders within reach with the catalogue, by size and time; nothing is opened."""
    choices = load_choices(session)
    new = changed = gone = 0
    for root in session.scalars(select(Root)).all():
        path = Path(root.path)
        if not is_folder(path):
            continue
        rows = session.execute(select(Image.path, Image.size, Image.mtime_ns).where(Image.root_id == root.id))
        known = {row.path: (row.size, row.mtime_ns) for row in rows}
        rules = choices.rules(path)
        found: dict[str, FoundFile] = {}
        unlisted: list[str] = []
        for target, limit in choices.targets(path).items():
            below = relative_to_root(target, path)
            try:
                only = None if limit is None else NamedPhotos(path, _names(limit))
            except UserError:
                unlisted.append(below)
                continue
            if is_folder(target):
                looked = scan(path, below, rules, only)
                found |= looked.files
                unlisted += looked.unreadable
            elif target.is_file():
                found[below] = found_file(below, target.stat())
            elif may_be_unmounted(target):
                unlisted.append(below)
        if not found and not any(path.iterdir()):
            continue  # an empty mount point: `index` keeps what it has
        kept = [Scope(root.id, path, folder) for folder in unlisted]
        for name, (size, mtime_ns) in known.items():
            file = found.pop(name, None)
            if file is not None:
                changed += (file.size, file.mtime_ns) != (size, mtime_ns)
            elif not any(scope.covers(name) for scope in kept) and not is_there(path / name):
                gone += 1
        new += len(found)
    return Changes(new, changed, gone, _changed_corpora(session))


def _names(limit: Limit) -> PhotoNames:
    return PhotoNames(choose_captions(Path(limit.captions), limit.split).image_names)


def _changed_corpora(session: Session) -> int:
    """How many caption files were written to; of a folder of sidecars nobody knows without reading all."""
    count = 0
    for corpus in session.scalars(select(Corpus).where(Corpus.format != "sidecar")):
        with suppress(OSError):
            status = Path(corpus.path).stat()
            count += (status.st_size, status.st_mtime_ns) != (corpus.size, corpus.mtime_ns)
    return count


def without_vector(model: Model | None) -> Select[Any]:
    """The readable photos that searches do not find, because the model has not encoded them."""
    model_id = None if model is None else model.id
    has = exists().where(ImageVector.image_id == Image.id, ImageVector.model_id == model_id)
    return select(Image).where(Image.failure.is_(None), ~has).order_by(Image.id)


def disk_use(library: Path) -> dict[str, int]:
    """Bytes of the catalogue, of the index files, and of the library folder as a whole."""
    sizes = {}
    for path in library.iterdir():
        with suppress(OSError):  # deleted since it was listed
            sizes[path.name] = path.stat().st_size
    return {
        "catalogue": sum(size for name, size in sizes.items() if name.startswith(CATALOG)),
        "index": sum(size for name, size in sizes.items() if name.startswith(tuple(f"{k}-" for k in KINDS))),
        "total": sum(sizes.values()),
    }


def remember_run(catalog: Catalog, tally: Tally) -> None:
    """Keeps when a run of `index` came to its end, and what it changed."""
    facts = {
        "ended": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "added": tally.added,
        "updated": tally.updated,
        "moved": tally.moved,
        "removed": tally.removed,
        "failed": len(tally.failed),
    }
    with catalog.session(write=True) as session:
        session.merge(Setting(key=_LAST_RUN, value=json.dumps(facts)))


def last_run(session: Session) -> dict[str, Any] | None:
    """What ``remember_run`` kept of the last run; None before the first has ended."""
    setting = session.get(Setting, _LAST_RUN)
    return None if setting is None else json.loads(setting.value)
