"""The mount points in a library's folders, as stored in the catalogue.

The empty mount point of a drive that is not connected looks like a folder whose photos were deleted.
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
    """Return the mount points in each root, by its id.

    The paths are relative to the root. A drive with photos was mounted there at the last scan. The root
    itself is never among them: nothing is removed anyway if it is missing or empty.
    """
    stored = load_setting(session, _DRIVES) or {}
    return {int(root_id): frozenset(folders) for root_id, folders in stored.items()}


def store_drives(session: Session, drives: Mapping[int, frozenset[str]]) -> None:
    """Store mount points in the form that ``load_drives`` returns."""
    store_setting(session, _DRIVES, {id: sorted(folders) for id, folders in drives.items() if folders})


def drives_after(known: frozenset[str], scope: Scope, found: Scan) -> frozenset[str]:
    """Return the mount points of a root after a scan."""
    elsewhere = {drive for drive in known if not scope.covers(drive)}
    here = {drive for drive in found.drives if any(is_below(path, drive) for path in found.files)}
    return frozenset((elsewhere | here | found.away) - {""})
