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
class Look:
    """A place to look at, and what is passed over there."""

    scope: Scope
    rules: Rules
    only: Container[str] | None  # paths relative to the root; None: all
    drop_hidden: bool = False  # hidden photos go, even where they were once indexed by their own names
    leave_others: bool = False  # photos that are not among ``only`` stay, even where they were deleted
    drives: frozenset[str] = frozenset()  # folders of the root where another drive is mounted, or was

    def scan(self) -> Scan:
        """Scan the place; what is out of reach is among the unreadable, what was deleted has no files."""
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
    """The scan of a root; an empty root is out of reach, as the mount point of a drive that is away."""
    if found.files or "" in found.unreadable or not may_be_mount_point(root):
        return found
    return replace(found, unreadable=("", *found.unreadable), empty_root=True)


@dataclass(frozen=True)
class Looked:
    """A place and what its scan found."""

    look: Look
    scan: Scan

    @property
    def found(self) -> Found:
        """What the comparison with the catalogue needs of it."""
        look, scan = self.look, self.scan
        return Found(
            scan.files, scan.unreadable, look.scope.below, look.only, look.leave_others, look.drop_hidden
        )

    @property
    def is_one_photo(self) -> bool:
        """True where the place is a photo, and it was found."""
        return self.scan.files.keys() == {self.look.scope.below}


@dataclass(frozen=True)
class OnDisk:
    """A container of the paths, relative to ``root``, that are on disk or out of reach."""

    root: Path

    def __contains__(self, path: object) -> bool:
        return is_there(self.root / str(path))


def distinct(looks: Iterable[Look]) -> list[Look]:
    """Drop the looks at places that another look covers."""
    every = list(looks)
    whole = {(look.scope.root_id, look.scope.below): look for look in every if look.only is None}

    def is_covered(look: Look) -> bool:
        below = look.scope.below
        above = (whole.get((look.scope.root_id, folder)) for folder in folders_above(below))
        return any(other is not None and other.rules.lead_to(below, other.scope.below) for other in above)

    return [look for look in every if not is_covered(look)]


def by_root(looks: Iterable[Look]) -> list[list[Look]]:
    """Group the distinct looks by root, in their order."""
    roots: dict[int, list[Look]] = {}
    for look in distinct(looks):
        roots.setdefault(look.scope.root_id, []).append(look)
    return list(roots.values())
