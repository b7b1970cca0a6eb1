"""The folders of a library in which other drives are mounted, as the catalogue keeps them.

When a drive is away, its empty mount point looks like a folder whose photos were deleted.
"""

from __future__ import annotations

from collections.abc import Mapping

from twobranch.indexer.catalog.settings import load_setting, store_setting
from twobranch.indexer.catalog.tables import Session
from twobranch.indexer.disk.relative_paths import is_below
from twobranch.indexer.disk.walk import Scan
from twobranch.indexer.update.targets import Scope

_DRIVES = "drives"


def load_drives(session: Session) -> dict[int, frozenset[str]]:
    """The mount points in each root, by its id, relative to it.

    A drive with photos was mounted there when they were last scanned. The root itself is never among them:
    when that is missing or empty nothing is removed.
    """
    stored = load_setting(session, _DRIVES) or {}
    return {int(root_id): frozenset(folders) for root_id, folders in stored.items()}


def store_drives(session: Session, drives: Mapping[int, frozenset[str]]) -> None:
    """Store the mount points, as ``load_drives`` gives them."""
    store_setting(session, _DRIVES, {id: sorted(folders) for id, folders in drives.items() if folders})


def drives_after(known: frozenset[str], scope: Scope, found: Scan) -> frozenset[str]:
    """The mount points of a root after a scan of one of its scopes."""
    elsewhere = {drive for drive in known if not scope.covers(drive)}
    here = {drive for drive in found.drives if any(is_below(path, drive) for path in found.files)}
    return frozenset((elsewhere | here | found.away) - {""})
