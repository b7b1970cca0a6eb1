"""The places where a run looks for photos, and their scans."""

from __future__ import annotations

import stat
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from twobranch.embedding.formats import missing_extra
from twobranch.indexer.disk.availability import is_deleted, is_there, may_be_mount_point
from twobranch.indexer.disk.relative_paths import folders_above
from twobranch.indexer.disk.rules import Rules
from twobranch.indexer.disk.walk import Scan, found_file, scan
from twobranch.indexer.update.compare import Found
from twobranch.indexer.update.targets import Scope


@dataclass(frozen=True)
class ScanScope:
    """A place to scan, with the rules for photos to skip there."""

    scope: Scope
    rules: Rules
    only: Container[str] | None  # paths relative to the root; None: all
    drop_hidden: bool = False  # hidden photos are removed, even those that were indexed by name
    leave_others: bool = False  # photos that are not in ``only`` stay, even if they were deleted
    drives: frozenset[str] = frozenset()  # folders of the root where another drive is or was mounted

    def scan(self) -> Scan:
        """Scan the place.

        A place that cannot be reached is among the unreadable ones. A deleted place has no files.
        """
        scope = self.scope
        path = scope.root / scope.below
        try:
            status = path.stat()
        except OSError:
            is_gone = scope.below and is_deleted(path, scope.root)
            return Scan({}, () if is_gone else (scope.below,))
        if stat.S_ISDIR(status.st_mode):
            found = scan(scope.root, scope.below, self.rules, self.only, self.drives)
            return found if scope.below else _unless_empty(found, scope.root)
        if self.only is not None and scope.below not in self.only:
            return Scan({}, ())
        if (extra := missing_extra(scope.below)) is not None:
            return Scan({}, (), {extra: 1})
        return Scan({scope.below: found_file(scope.below, status)}, ())


def _unless_empty(found: Scan, root: Path) -> Scan:
    """Return a root's scan, in which an empty root is unreadable.

    An empty root may be the mount point of a drive that is not connected.
    """
    if found.files or "" in found.unreadable or not may_be_mount_point(root):
        return found
    return replace(found, unreadable=("", *found.unreadable), empty_root=True)


@dataclass(frozen=True)
class ScannedScope:
    """A scan scope and the result of its scan."""

    place: ScanScope
    scan: Scan

    @property
    def found(self) -> Found:
        """The input for the comparison with the catalogue."""
        place, scan = self.place, self.scan
        return Found(
            scan.files, scan.unreadable, place.scope.below, place.only, place.leave_others, place.drop_hidden
        )

    @property
    def is_one_photo(self) -> bool:
        """True if the place is a photo and was found."""
        return self.scan.files.keys() == {self.place.scope.below}


@dataclass(frozen=True)
class OnDisk:
    """A container of the paths below ``root`` that may exist.

    It contains relative paths that are on disk or cannot be reached.
    """

    root: Path

    def __contains__(self, path: object) -> bool:
        return is_there(self.root / str(path))


def distinct(places: Iterable[ScanScope]) -> list[ScanScope]:
    """Drop scopes that another scope covers."""
    every = list(places)
    whole = {(place.scope.root_id, place.scope.below): place for place in every if place.only is None}

    def is_covered(place: ScanScope) -> bool:
        below = place.scope.below
        above = (whole.get((place.scope.root_id, folder)) for folder in folders_above(below))
        return any(other is not None and other.rules.lead_to(below, other.scope.below) for other in above)

    return [place for place in every if not is_covered(place)]


def by_root(places: Iterable[ScanScope]) -> list[list[ScanScope]]:
    """Group the distinct scopes by root, in their order."""
    roots: dict[int, list[ScanScope]] = {}
    for place in distinct(places):
        roots.setdefault(place.scope.root_id, []).append(place)
    return list(roots.values())
