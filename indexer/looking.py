"""Where a run looks for photos: what a scan of each place comes to, and what stays though it does not."""

from __future__ import annotations

import stat
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from embedding.formats import missing_extra
from indexer.scan import Rules, Scan, found_file, is_there, scan
from indexer.targets import Scope, is_empty


@dataclass(frozen=True)
class Look:
    """A place to look at, and what is passed over there."""

    scope: Scope
    rules: Rules
    only: Container[str] | None  # paths relative to the root; None: all
    drop_hidden: bool = False  # hidden photos go, even where they were once indexed by their own names
    drives: frozenset[str] = frozenset()  # folders of the root where another drive is mounted, or was

    def scan(self) -> Scan:
        """The photos there; none where nothing is any more. What is out of reach is among the unreadable."""
        scope = self.scope
        path = scope.root / scope.below
        try:
            status = path.stat()
        except OSError:
            return Scan({}, () if scope.below and self._is_gone(path) else (scope.below,))
        if stat.S_ISDIR(status.st_mode):
            return scan(scope.root, scope.below, self.rules, self.only, self.drives)
        if self.only is not None and scope.below not in self.only:
            return Scan({}, ())
        if (extra := missing_extra(scope.below)) is not None:
            return Scan({}, (), {extra: 1})
        return Scan({scope.below: found_file(scope.below, status)}, ())

    def _is_gone(self, path: Path) -> bool:
        """Whether a path is missing in a root that is there; an empty one may be where its drive was."""
        try:
            return not is_there(path) and not is_empty(self.scope.root)
        except OSError:
            return False

    def keeps(self, path: str) -> bool:
        """Whether a photo stays though this scan passed over it: it was indexed by its own name, or the
        extra that opened it is not installed any more."""
        scope = self.scope
        if self.rules.exclude_on_the_way(path, scope.below):
            return False
        by_name = scope.skips(path) and not self.drop_hidden
        return (by_name or missing_extra(path) is not None) and is_there(scope.root / path)


def distinct(looks: Iterable[Look]) -> list[Look]:
    """The looks without those at what another one comes to anyway."""
    every = list(looks)
    whole = {(look.scope.root_id, look.scope.below): look for look in every if look.only is None}

    def is_covered(look: Look) -> bool:
        below = look.scope.below
        above = (whole.get((look.scope.root_id, folder)) for folder in _folders_above(below))
        return any(other is not None and other.rules.lead_to(below, other.scope.below) for other in above)

    return [look for look in every if not is_covered(look)]


def _folders_above(path: str) -> Iterator[str]:
    """The folders that hold a relative path, the nearest first, and "" for the root."""
    while path:
        path = path.rpartition("/")[0]
        yield path
