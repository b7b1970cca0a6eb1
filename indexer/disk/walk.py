"""Folders to the photo files in them, with what tells whether a file has changed."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from twobranch.embedding.formats import IMAGE_SUFFIXES, missing_extra
from twobranch.indexer.disk.availability import drives_away, is_same_folder
from twobranch.indexer.disk.relative_paths import covers
from twobranch.indexer.disk.rules import EVERYTHING, Rules

# SQLite's integers end here; some file systems hold times beyond (before the year 1677, after 2262).
_MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)  # there may be a million
class FoundFile:
    """A photo file as the folder lists it."""

    path: str  # relative to the root, with "/"
    size: int  # bytes
    mtime_ns: int


@dataclass(frozen=True)
class Scan:
    """The photos below a folder, by relative path, and the folders that could not be listed."""

    files: dict[str, FoundFile]
    unreadable: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)  # photos whose kind needs an extra, by that
    drives: frozenset[str] = frozenset()  # folders where another drive is mounted
    away: frozenset[str] = frozenset()  # folders where one was; they are among the unreadable
    empty_root: bool = False  # as the mount point of a drive that is away; then "" is among the unreadable


def scan(
    root: Path,
    below: str = "",
    rules: Rules = EVERYTHING,
    only: Container[str] | None = None,
    drives: Collection[str] = (),
) -> Scan:
    """The photo files in ``root/below`` and its subfolders, in the order of their names.

    ``rules`` say what is left out, ``only`` holds the paths relative to ``root`` that count. Links to folders
    are not followed (they can make loops), links to files are. What has a photo's name and is none, a pipe
    or a link to nothing, is found too: reading it says what it is. A folder that cannot be listed is
    reported, not raised; so is one of ``drives``, where another drive was mounted, that is missing or empty
    now.
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
    return Scan(walk.files, tuple(unreadable), walk.left_out, mounted, away)


class _Walk:
    """One walk through the folders of a root; ``visit`` adds what a folder has."""

    def __init__(self, root: Path, rules: Rules, only: Container[str] | None) -> None:
        self._root = root
        self._rules = rules
        self._only = only
        self.files: dict[str, FoundFile] = {}
        self.left_out: Counter[str] = Counter()  # photos, by the extra that their kind needs
        self.mounted: set[str] = set()  # folders where another drive begins
        self.filled: set[str] = set()  # folders with anything in them

    def visit(self, folder: str) -> list[str]:
        """Add the photos of one folder; its subfolders, in the order of their names.

        Raises ``OSError`` where the folder cannot be listed, or goes while it is; what was found stays.
        """
        path = self._root / folder
        before = os.stat(path)
        with os.scandir(path) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        if entries:
            self.filled.add(folder)
        elif not is_same_folder(path, before):
            raise FileNotFoundError(folder)  # its drive went
        if before.st_dev != os.stat(path.parent).st_dev:
            self.mounted.add(folder)
        subfolders = []
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if self._rules.leave_out(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                subfolders.append(name)
            elif is_photo_name(entry.name) and (self._only is None or name in self._only):
                self._add(entry, name, path, before)
        return subfolders

    def _add(self, entry: os.DirEntry[str], name: str, folder: Path, before: os.stat_result) -> None:
        """Add a photo file, unless it was deleted since it was listed or its kind needs an extra."""
        try:
            status = _status(entry)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and is_same_folder(folder, before):
                return
            if error.errno != errno.ENAMETOOLONG:
                raise  # a folder that does not let us at what it lists, or whose drive went
            self.files[name] = FoundFile(name, 0, 0)  # of this name alone: reading it says so
            return
        if (extra := missing_extra(entry.name)) is not None:
            self.left_out[extra] += 1
        else:
            self.files[name] = found_file(name, status)


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    """The status of a file; of a link that is broken or leads to a folder, its own. Raises ``OSError``."""
    try:
        status = entry.stat()
    except OSError:
        if not entry.is_symlink():
            raise
        return entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):  # a link: it is the same whatever is in the folder
        return entry.stat(follow_symlinks=False)
    return status


def is_photo_name(name: str) -> bool:
    """True for a name that ends like a photo's."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def found_file(path: str, status: os.stat_result) -> FoundFile:
    """The path, relative to the root, with the size and time that the catalogue compares."""
    return FoundFile(path, status.st_size, written_ns(status))


def written_ns(status: os.stat_result) -> int:
    """When the file was written, in nanoseconds since 1970, as far as SQLite can hold it."""
    return max(-_MAX_INTEGER, min(status.st_mtime_ns, _MAX_INTEGER))
