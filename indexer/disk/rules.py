"""What scans of a root leave out: hidden files, excluded ones, and those that were forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from twobranch.common.paths import LIBRARY
from twobranch.indexer.disk.relative_paths import is_below, parts_below, steps_to

# Synology's thumbnails, and the pictures inside other people's JavaScript.
SKIPPED_FOLDERS = frozenset({"@eaDir", "node_modules"})


def is_hidden(name: str) -> bool:
    """True for the name of a file or folder that scans leave out by default."""
    return name.startswith(".") or name in SKIPPED_FOLDERS


def is_hidden_below(path: str, folder: str) -> bool:
    """True where the path, relative to a root, or a folder on the way to it is hidden.

    The folder itself may be hidden: who names it wants what is in it.
    """
    return any(map(is_hidden, parts_below(path, folder)))


@dataclass(frozen=True)
class Rules:
    """What scans of a root leave out, by folders relative to the root; "" is the root itself.

    A glob is matched with the path relative to the root and to the folder that it was given for, and with
    each part of it. Whether hidden files and folders count is decided by what was said of the deepest folder
    above them; generated ones and libraries never do.
    """

    exclude: Mapping[str, Sequence[str]] = field(default_factory=dict)  # globs
    hidden: Mapping[str, bool] = field(default_factory=dict)
    forgotten: frozenset[str] = frozenset()  # files and folders

    def leave_out(self, path: str) -> bool:
        """True where a scan passes over what it finds at this path; the folders above it are not asked."""
        return self._hide(path) or self._exclude(path)

    def lead_to(self, path: str, below: str) -> bool:
        """True where a scan of ``below`` comes to this path in it."""
        return not any(map(self.leave_out, steps_to(path, below)))

    def exclude_on_the_way(self, path: str, below: str) -> bool:
        """True where a glob, or that it was forgotten, keeps a scan of ``below`` from coming to the path."""
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
                # "raw/" is what shells complete.
                if any(fnmatchcase(way, glob.rstrip("/")) for glob in globs for way in ways):
                    return True
        return False


EVERYTHING = Rules()
