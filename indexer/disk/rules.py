"""The files that scans skip: hidden, excluded and forgotten ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from twobranch.common.paths import LIBRARY
from twobranch.indexer.disk.relative_paths import is_below, parts_below, steps_to

# Synology's thumbnails, and the pictures inside JavaScript packages.
SKIPPED_FOLDERS = frozenset({"@eaDir", "node_modules"})


def is_hidden(name: str) -> bool:
    """Return True for a name that scans skip by default."""
    return name.startswith(".") or name in SKIPPED_FOLDERS


def is_hidden_below(path: str, folder: str) -> bool:
    """Return True if the path or a folder above it is hidden.

    The path is relative to a root. Only parts below ``folder`` count: a user who names a hidden folder wants
    its contents.
    """
    return any(map(is_hidden, parts_below(path, folder)))


@dataclass(frozen=True)
class Rules:
    """The rules for what scans of a root skip.

    Folders are relative to the root; "" is the root itself. A glob is matched with the path relative to the
    root, with the path relative to the folder that the glob was given for, and with the name of each file and
    folder on the way. The setting of the deepest folder above decides whether hidden files and folders count;
    generated ones and libraries never do.
    """

    exclude: Mapping[str, Sequence[str]] = field(default_factory=dict)  # globs
    hidden: Mapping[str, bool] = field(default_factory=dict)
    forgotten: frozenset[str] = frozenset()  # files and folders

    def leave_out(self, path: str) -> bool:
        """Return True if a scan skips this path. The folders above it are not considered."""
        return self._hide(path) or self._exclude(path)

    def lead_to(self, path: str, below: str) -> bool:
        """Return True if a scan of ``below`` reaches this path in it."""
        return not any(map(self.leave_out, steps_to(path, below)))

    def exclude_on_the_way(self, path: str, below: str) -> bool:
        """Return True if a glob excludes the path or it was forgotten.

        The same for the folders between ``below`` and the path.
        """
        return any(map(self._exclude, steps_to(path, below)))

    def _hide(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        if not name.startswith(".") or name == LIBRARY:
            return is_hidden(name)
        above = [folder for folder in self.hidden if is_below(path, folder)]
        return not (above and self.hidden[max(above, key=len)])

    def _exclude(self, path: str) -> bool:
        if path in self.forgotten:
            return True
        for folder, globs in self.exclude.items():
            if is_below(path, folder):
                ways = {path, path[len(folder) :].lstrip("/"), path.rpartition("/")[2]}
                # A shell completes a folder as "raw/".
                if any(fnmatchcase(way, glob.rstrip("/")) for glob in globs for way in ways):
                    return True
        return False


EVERYTHING = Rules()
