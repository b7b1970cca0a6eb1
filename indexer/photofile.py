"""A catalogued photo's file, opened as indexing would open it, and nothing else in its place.

The catalogue says which file; what lies there now may be something else. A scan follows links to files but
none to folders, and takes regular files only (``indexer.scan``). Whoever may write into a folder of photos
could put a link there and read, with the rights of a server, what it leads to: so a link is followed only to
what was indexed through it.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from embedding.errors import ImageError
from indexer.scan import FoundFile, found_file, is_photo_name

_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe would make us wait
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has none; its links take an administrator to make


@dataclass(frozen=True)
class PhotoFile:
    """Where a photo is, and what the catalogue knows of the file."""

    id: int
    root: Path
    file: FoundFile
    content_hash: bytes | None  # sha256
    failure: str | None

    @property
    def path(self) -> Path:
        """The absolute path."""
        return self.root / self.file.path


@dataclass(frozen=True)
class OpenedFile:
    """An open photo file; whoever has it closes it."""

    file: BinaryIO
    size: int  # bytes
    mtime_ns: int
    as_indexed: bool  # it has the size and time that the catalogue knows


def open_photo_file(photo: PhotoFile) -> OpenedFile:
    """The photo's file as it is now. Raises ``ImageError`` with a short reason."""
    try:
        descriptor, is_link = _open(photo)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR):
            raise ImageError(photo.path, "not a file of its folder any more") from None
        reason = "no such file" if error.errno == errno.ENOENT else (error.strerror or str(error)).lower()
        raise ImageError(photo.path, reason) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(photo.path, "not a regular file")
        as_indexed = found_file(photo.file.path, status) == photo.file
        if is_link and not (as_indexed and photo.failure is None):
            raise ImageError(photo.path, "a link to something else than was indexed; run `index`")
        return OpenedFile(os.fdopen(descriptor, "rb"), status.st_size, status.st_mtime_ns, as_indexed)
    except BaseException:
        os.close(descriptor)
        raise


def _open(photo: PhotoFile) -> tuple[int, bool]:
    """A descriptor of the file, and whether its name is that of a link. Raises ``OSError``."""
    *folders, name = photo.file.path.split("/")
    if ".." in folders or not is_photo_name(name):  # no scan finds such a path
        raise OSError(errno.ENOENT, "no such file")
    if os.open not in os.supports_dir_fd:
        return os.open(photo.path, _FILE), False
    folder = os.open(photo.root, _FOLDER)
    try:
        for inner in folders:
            above, folder = folder, os.open(inner, _FOLDER | _NO_LINK, dir_fd=folder)
            os.close(above)
        try:
            return os.open(name, _FILE | _NO_LINK, dir_fd=folder), False
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EMLINK):
                raise
            return os.open(name, _FILE, dir_fd=folder), True
    finally:
        os.close(folder)
