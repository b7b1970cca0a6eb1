"""Folders to the photo files in them, with what tells whether a file has changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path

from embedding.preprocess import IMAGE_SUFFIXES

# Synology's thumbnails, and the pictures inside other people's JavaScript.
SKIPPED_FOLDERS = frozenset({"@eaDir", "node_modules"})
# SQLite's largest integer; some file systems hold times beyond it (the year 2262).
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


def scan(
    root: Path, below: str = "", exclude: Sequence[str] = (), only: Container[str] | None = None
) -> Scan:
    """The photo files in ``root/below`` and its subfolders, in the order of their names.

    ``exclude`` holds globs, matched with the path relative to ``root`` and to ``root/below``, and with
    each part of it; ``only`` the paths relative to ``root`` that count. Hidden files and folders are
    skipped, links to folders are not followed (they can make loops), links to files are. A folder that
    cannot be listed is reported, not raised.
    """
    files: dict[str, FoundFile] = {}
    unreadable: list[str] = []
    folders = [below]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
            subfolders = []
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if is_skipped(entry.name) or _matches(path, below, exclude):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    subfolders.append(path)
                elif is_photo_name(entry.name) and (only is None or path in only):
                    try:
                        status = entry.stat()
                    except OSError as error:
                        if entry.is_symlink() or isinstance(error, FileNotFoundError):
                            continue  # a broken link, or deleted since it was listed
                        raise  # a folder that lists its files but does not let us at them
                    if stat.S_ISREG(status.st_mode):  # not a pipe, a socket or a link to a folder
                        files[path] = found_file(path, status)
            folders += reversed(subfolders)
        except OSError:
            unreadable.append(folder)
    return Scan(files, tuple(unreadable))


def is_photo_name(name: str) -> bool:
    """Whether the name ends like a photo's."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_skipped(name: str) -> bool:
    """Whether a scan leaves out what has this name, unless it is told to look there."""
    return name.startswith(".") or name in SKIPPED_FOLDERS


def is_excluded(path: str, below: str, exclude: Sequence[str]) -> bool:
    """Whether one of these globs keeps a scan of ``below`` from coming to the path."""
    ways = accumulate(path.split("/"), "{}/{}".format)
    return any(_matches(way, below, exclude) for way in ways if len(way) > len(below))


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; what is out of reach is not gone."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def found_file(path: str, status: os.stat_result) -> FoundFile:
    """What the catalogue compares about a file."""
    return FoundFile(path, status.st_size, min(status.st_mtime_ns, _MAX_INTEGER))


def _matches(path: str, below: str, exclude: Sequence[str]) -> bool:
    # A folder above would have been left out already, so the last part is the only new one.
    ways = {path, path[len(below) :].lstrip("/"), path.rpartition("/")[2]}
    # "raw/" is what shells complete.
    return any(fnmatchcase(way, pattern.rstrip("/")) for pattern in exclude for way in ways)
