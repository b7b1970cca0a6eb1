"""Folders that visitors may choose to index: those below some tops.

A visitor can list folder names and have photos in them indexed, and so see them. So only what is below a top
is looked at, hidden folders are left out, and a link counts as the folder that it leads to.
"""

from __future__ import annotations

import heapq
import os
import string
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from twobranch.common.paths import is_folder
from twobranch.indexer.disk.names import folded
from twobranch.indexer.disk.rules import is_hidden
from twobranch.indexer.disk.walk import is_photo_name
from twobranch.server.errors import Refused

MOST = 1000  # folders in one listing
_COUNTED_ENTRIES = 20_000  # of all folders in a listing, to count their photos
_COUNTED_SECONDS = 0.25
# Folders in which systems mount drives.
_MOUNTS = ("/media", "/run/media", "/mnt", "/Volumes")


@dataclass(frozen=True)
class Folder:
    """A folder. ``photos`` are directly in it; None if counting them takes long."""

    name: str
    path: Path
    photos: int | None


@dataclass(frozen=True)
class Listing:
    """The folders in a folder, by name. Without a path it has the tops."""

    path: Path | None
    parent: Path | None  # None at a top
    folders: tuple[Folder, ...]
    more: bool = False  # there are more than ``MOST``
    photos: int | None = None


class FolderChoice:
    """The folders below some tops, except the library's own."""

    def __init__(self, tops: Sequence[Path], library: Path) -> None:
        """Take absolute folders. Without any, every choice is refused."""
        self._tops = tuple(dict.fromkeys(top.resolve() for top in tops))
        self._library = library.resolve()

    def __bool__(self) -> bool:
        """Return True if anything may be chosen."""
        return bool(self._tops)

    def chosen(self, text: str) -> Path:
        """Return the folder with this path, resolved.

        Raises ``Refused``: 400 for what is no path of a folder, 403 for one that may not be chosen, 404 for
        one that is gone.
        """
        self._check_on()
        try:
            path = Path(os.path.normpath(text))
            os.fsencode(text)
        except ValueError:  # lone surrogates
            path = Path()
        if "\0" in text or not path.is_absolute():
            raise Refused(400, "not the path of a folder; give it from the root on")
        self._check_allowed(path)  # before the disk is asked: nothing is told of other places
        try:
            folder = path.resolve(strict=True)
            self._check_allowed(folder)
            if not folder.is_dir():
                raise Refused(400, f"{path}: not a folder")
        except (FileNotFoundError, NotADirectoryError):
            raise Refused(404, f"{path}: there is no such folder any more") from None
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
            raise Refused(403, f"{path}: cannot be read ({_reason(error)})") from None
        return folder

    def listing(self, text: str) -> Listing:
        """List the folders in a folder, or for "" the tops. Raises as ``chosen``."""
        self._check_on()
        counter = _PhotoCounter()
        if not text:
            there = [Path(top) for top in self._tops if _has_entries(top)]
            return Listing(None, None, tuple(Folder(str(top), top, counter.count(top)) for top in there))
        folder = self.chosen(text)
        try:
            found = heapq.nsmallest(
                MOST + 1, self._folders_in(folder), key=lambda path: _sorted_by(path.name)
            )
        except OSError as error:
            raise Refused(403, f"{folder}: cannot be read ({_reason(error)})") from None
        own = counter.count(folder)
        folders = tuple(Folder(path.name, path, counter.count(path)) for path in found[:MOST])
        parent = None if folder in self._tops else folder.parent
        return Listing(folder, parent, folders, len(found) > MOST, own)

    def _folders_in(self, folder: Path) -> Iterator[Path]:
        """Yield the folders in a folder that may be chosen. Raises ``OSError``."""
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name) or not _is_utf_8(entry.name):
                    continue
                path = folder / entry.name
                with suppress(OSError, RuntimeError, Refused):
                    if entry.is_dir(follow_symlinks=False):
                        if path != self._library:
                            yield path
                    elif entry.is_symlink() and entry.is_dir():
                        self._check_allowed(path.resolve(strict=True))
                        yield path

    def _check_on(self) -> None:
        if not self._tops:
            raise Refused(403, "folders cannot be chosen here; `serve --choose-from DIR` allows it")

    def _check_allowed(self, path: Path) -> None:
        """Raise ``Refused`` for a path that may not be chosen."""
        above = [top for top in self._tops if path.is_relative_to(top)]
        if not above:
            raise Refused(403, f"{path}: is not in a folder that may be chosen from")
        if not any(not any(map(is_hidden, path.relative_to(top).parts)) for top in above):
            raise Refused(403, f"{path}: hidden folders cannot be chosen here; `index` takes them")
        if path.is_relative_to(self._library):
            raise Refused(403, f"{path}: belongs to the library itself")


def default_tops() -> tuple[Path, ...]:
    """Return the user's home folder and the places where drives are mounted."""
    tops = []
    with suppress(RuntimeError):  # a user without a home
        tops.append(Path.home())
    if os.name == "nt":
        drives = (Path(f"{letter}:\\") for letter in string.ascii_uppercase)
        return (*tops, *(drive for drive in drives if is_folder(drive)))
    return (*tops, *(Path(mount) for mount in _MOUNTS if is_folder(Path(mount))))


class _PhotoCounter:
    """Counts the photos of several folders, within limits."""

    def __init__(self) -> None:
        self._left = _COUNTED_ENTRIES
        self._until = monotonic() + _COUNTED_SECONDS

    def count(self, folder: Path) -> int | None:
        """Count the photos directly in a folder. None beyond the limit, or if it cannot be read."""
        n = 0
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._left -= 1
                    if self._left < 0 or monotonic() > self._until:
                        return None
                    n += is_photo_name(entry.name) and not is_hidden(entry.name)
        except OSError:
            return None
        return n


def _has_entries(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _sorted_by(name: str) -> tuple[str, str]:
    return folded(name), name


def _is_utf_8(name: str) -> bool:
    """Return True for a name that a page can send back."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
