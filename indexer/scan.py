"""Folders to the photo files in them, with what tells whether a file has changed."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path

from embedding.formats import IMAGE_SUFFIXES, missing_extra
from indexer.library import LIBRARY

# Synology's thumbnails, and the pictures inside other people's JavaScript.
SKIPPED_FOLDERS = frozenset({"@eaDir", "node_modules"})
# SQLite's integers end here; some file systems hold times beyond (before the year 1677, after 2262).
_MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True)
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
        """Whether a scan passes over what it finds at this path; the folders above it are not asked."""
        return self._skip(path) or self._exclude(path)

    def lead_to(self, path: str, below: str) -> bool:
        """Whether a scan of ``below`` comes to this path in it."""
        return not any(map(self.leave_out, _ways(path, below)))

    def exclude_on_the_way(self, path: str, below: str) -> bool:
        """Whether a glob, or that it was forgotten, keeps a scan of ``below`` from coming to the path."""
        return any(map(self._exclude, _ways(path, below)))

    def _skip(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        if not name.startswith(".") or name == LIBRARY:
            return is_skipped(name)
        above = [folder for folder in self.hidden if _within(path, folder)]
        return not (above and self.hidden[max(above, key=len)])

    def _exclude(self, path: str) -> bool:
        if path in self.forgotten:
            return True
        for folder, globs in self.exclude.items():
            if _within(path, folder):
                ways = {path, path[len(folder) :].lstrip("/"), path.rpartition("/")[2]}
                # "raw/" is what shells complete.
                if any(fnmatchcase(way, glob.rstrip("/")) for glob in globs for way in ways):
                    return True
        return False


EVERYTHING = Rules()


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
    or a link to nothing, is found too: whoever opens it learns what it is, and can say so. A folder that
    cannot be listed is reported, not raised; so is one of ``drives``, where another drive was mounted, that
    is missing or empty now.
    """
    files: dict[str, FoundFile] = {}
    unreadable: list[str] = []
    left_out: Counter[str] = Counter()
    mounted: set[str] = set()
    filled: set[str] = set()
    folders = [below]
    while folders:
        folder = folders.pop()
        try:
            before = os.stat(root / folder)
            with os.scandir(root / folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
            if entries:
                filled.add(folder)
            elif not _is_still(root / folder, before):
                raise FileNotFoundError(folder)  # its drive went
            if before.st_dev != os.stat((root / folder).parent).st_dev:
                mounted.add(folder)
            subfolders = []
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if rules.leave_out(path):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    subfolders.append(path)
                elif is_photo_name(entry.name) and (only is None or path in only):
                    try:
                        status = entry.stat()
                        if stat.S_ISDIR(status.st_mode):  # a link: it is the same whatever is in the folder
                            status = entry.stat(follow_symlinks=False)
                    except OSError as error:
                        if entry.is_symlink():  # a broken one
                            status = entry.stat(follow_symlinks=False)
                        elif isinstance(error, FileNotFoundError) and _is_still(root / folder, before):
                            continue  # deleted since it was listed
                        elif error.errno == errno.ENAMETOOLONG:  # of this name alone: reading it says so
                            files[path] = FoundFile(path, 0, 0)
                            continue
                        else:
                            raise  # a folder that does not let us at what it lists, or whose drive went
                    if (extra := missing_extra(entry.name)) is not None:
                        left_out[extra] += 1
                        continue
                    files[path] = found_file(path, status)
            folders += reversed(subfolders)
        except OSError:
            unreadable.append(folder)
    here = {drive for drive in drives if _within(f"{drive}/", below) and rules.lead_to(drive, below)}
    away = frozenset(here - mounted - filled)
    unreadable += sorted(away - set(unreadable))
    return Scan(files, tuple(unreadable), left_out, frozenset(mounted), away)


def is_photo_name(name: str) -> bool:
    """Whether the name ends like a photo's."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_skipped(name: str) -> bool:
    """Whether a scan leaves out what has this name, unless it is told to look there."""
    return name.startswith(".") or name in SKIPPED_FOLDERS


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; what is out of reach is not gone."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def can_be_listed(folder: Path) -> bool:
    """Whether there is a folder that we can look into."""
    try:
        with os.scandir(folder):
            return True
    except OSError:
        return False


def _is_still(folder: Path, before: os.stat_result) -> bool:
    """Whether this is the folder that it was: not missing, and not the mount point of a drive that went."""
    try:
        now = os.stat(folder)
    except OSError:
        return False
    return (now.st_dev, now.st_ino) == (before.st_dev, before.st_ino)


def found_file(path: str, status: os.stat_result) -> FoundFile:
    """What the catalogue compares about a file."""
    return FoundFile(path, status.st_size, written_ns(status))


def written_ns(status: os.stat_result) -> int:
    """When the file was written, in nanoseconds since 1970, as far as SQLite can hold it."""
    return max(-_MAX_INTEGER, min(status.st_mtime_ns, _MAX_INTEGER))


def _ways(path: str, below: str) -> list[str]:
    """The path and the folders above it, down from ``below``."""
    return [way for way in accumulate(path.split("/"), "{}/{}".format) if len(way) > len(below)]


def _within(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")
