"""Find the photo files in folders.

Each comes with the size and time that show whether it has changed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from twobranch.common.paths import is_folder
from twobranch.embedding.formats import IMAGE_SUFFIXES, missing_extra
from twobranch.indexer.disk.availability import drives_away, is_same_folder
from twobranch.indexer.disk.relative_paths import covers
from twobranch.indexer.disk.rules import EVERYTHING, Rules

# The largest integer of SQLite. Some file systems hold times beyond it (before the year 1677, after 2262).
_MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)  # there may be a million
class FoundFile:
    """A photo file as its folder lists it."""

    path: str  # relative to the root, with "/"
    size: int  # bytes
    mtime_ns: int


@dataclass(frozen=True)
class Scan:
    """The photos below a folder, and the folders that failed. ``files`` is by relative path."""

    files: dict[str, FoundFile]
    unreadable: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)  # number of photos by the extra they need
    drives: frozenset[str] = frozenset()  # folders where another drive is mounted
    away: frozenset[str] = frozenset()  # folders whose drive is disconnected; included in `unreadable`
    links: tuple[str, ...] = ()  # links to folders, which were not followed
    empty_root: bool = False  # the drive of the root may be disconnected; then "" is in `unreadable`


def scan(
    root: Path,
    below: str = "",
    rules: Rules = EVERYTHING,
    only: Container[str] | None = None,
    drives: Collection[str] = (),
) -> Scan:
    """Find the photo files in ``root/below`` and its subfolders, sorted by name.

    ``rules`` say what is skipped; ``only``, if given, holds the paths relative to ``root`` that count. Links
    to folders are listed but not followed (they can make loops), links to files are followed. A pipe or a
    broken link with a photo's name is found too, and reading it reports the error. A folder that cannot be
    listed is reported, not raised. The same holds for one of ``drives``, folders where another drive was
    mounted, that is missing or empty now.
    """
    walk = _Walk(root, rules, only)
    unreadable: list[str] = []
    folders = [below]
    while folders:
        folder = folders.pop()
        try:
            folders += reversed(walk.visit(folder))
        except OSError:
            unreadable.append(folder)
    here = frozenset(drive for drive in drives if covers(below, drive) and rules.lead_to(drive, below))
    mounted = frozenset(walk.mounted)
    away = drives_away(here, mounted, frozenset(walk.filled))
    unreadable += sorted(away - set(unreadable))
    return Scan(walk.files, tuple(unreadable), walk.left_out, mounted, away, tuple(walk.links))


class _Walk:
    """One walk through a root. ``visit`` adds the photos of one folder."""

    def __init__(self, root: Path, rules: Rules, only: Container[str] | None) -> None:
        self._root = root
        self._rules = rules
        self._only = only
        self.files: dict[str, FoundFile] = {}
        self.left_out: Counter[str] = Counter()  # number of photos by the extra they need
        self.mounted: set[str] = set()  # folders where another drive begins
        self.filled: set[str] = set()  # folders with anything in them
        self.links: list[str] = []  # links to folders

    def visit(self, folder: str) -> list[str]:
        """Add the photos of one folder and return its sorted subfolders.

        Raises ``OSError`` if the folder cannot be listed or disappears during the visit; photos found so far
        stay.
        """
        path = self._root / folder
        before = os.stat(path)
        with os.scandir(path) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        if entries:
            self.filled.add(folder)
        elif not is_same_folder(path, before):
            raise FileNotFoundError(folder)  # its drive was disconnected
        if before.st_dev != os.stat(path.parent).st_dev:
            self.mounted.add(folder)
        subfolders = []
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if self._rules.leave_out(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                subfolders.append(name)
            elif is_photo_name(entry.name):
                if self._only is None or name in self._only:
                    self._add(entry, name, path, before)
            elif entry.is_symlink() and is_folder(Path(entry.path)):
                self.links.append(name)
        return subfolders

    def _add(self, entry: os.DirEntry[str], name: str, folder: Path, before: os.stat_result) -> None:
        """Add a photo file, unless it was deleted or needs an extra."""
        try:
            status = _status(entry)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and is_same_folder(folder, before):
                return
            if error.errno != errno.ENAMETOOLONG:
                raise  # no access to the folder's files, or its drive was disconnected
            self.files[name] = FoundFile(name, 0, 0)  # the name is too long; reading the file reports it
            return
        if (extra := missing_extra(entry.name)) is not None:
            self.left_out[extra] += 1
        else:
            self.files[name] = found_file(name, status)


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    """Return the status of a file.

    A link that is broken or leads to a folder has the link's own. Raises ``OSError``.
    """
    try:
        status = entry.stat()
    except OSError:
        if not entry.is_symlink():
            raise
        return entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):  # a link to a folder: its own status ignores the folder's contents
        return entry.stat(follow_symlinks=False)
    return status


def is_photo_name(name: str) -> bool:
    """Return True for a name with a photo's suffix."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def found_file(path: str, status: os.stat_result) -> FoundFile:
    """Return the file with the size and time that the catalogue compares.

    The path is relative to the root.
    """
    return FoundFile(path, status.st_size, written_ns(status))


def written_ns(status: os.stat_result) -> int:
    """Return the modification time in nanoseconds since 1970.

    It is limited to the range of SQLite's integers.
    """
    return max(-_MAX_INTEGER, min(status.st_mtime_ns, _MAX_INTEGER))
