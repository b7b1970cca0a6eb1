"""Opening a photo's file safely: only the file that was indexed.

The file at a photo's path may have been replaced. A scan follows links to files but none to folders, and
takes regular files only (``disk.walk``). A person who may write into a folder of photos could put a link
there to a file that only the server may read, or another name of it, and have a photo of its size and time
indexed before. So a file is handed out only if it is the very file that was indexed, by its identity once it
is open, or if it has the same content to the last byte. A thumbnail is also shown of the same file after it
was written to.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from twobranch.common.errors import ImageError
from twobranch.indexer.disk.open import CHANGED, MAX_BYTES, digest_of, identity_of, is_same_file
from twobranch.indexer.disk.walk import FoundFile, found_file, is_photo_name

_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # opening a pipe would block
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_MOST_PROVEN = 20_000
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has none; its links take an administrator to make


@dataclass(frozen=True)
class PhotoFile:
    """A photo's place, and the catalogue's facts of the file."""

    id: int
    root: Path
    file: FoundFile
    content_hash: bytes | None  # sha256
    failure: str | None
    identity: str | None = None  # of the file that was read; None: not known

    @property
    def path(self) -> Path:
        """The absolute path."""
        return self.root / self.file.path


@dataclass(frozen=True)
class OpenedFile:
    """An open photo file; the caller closes it."""

    file: BinaryIO
    size: int  # bytes
    mtime_ns: int
    as_indexed: bool  # it has the size and time in the catalogue; so may another file
    is_same: bool  # the same file as indexed, but perhaps written to since
    is_link: bool
    identity: str | None

    @property
    def changed(self) -> str:
        """The message for a file that does not hold the indexed content."""
        return "a link to something else than was indexed; run `index`" if self.is_link else CHANGED


class ProvenFiles:
    """The latest files that were found to hold the indexed content.

    Threads may share it. No identity is known in a library that was restored from a backup, lies on a drive
    that was mounted again, or comes from an older version. Each file is then read once, and not for every
    part that is asked for.
    """

    def __init__(self) -> None:
        self._digests: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._lock = Lock()

    def digest(self, opened: OpenedFile) -> bytes:
        """Return the sha256 of an open file."""
        if opened.identity is None:
            return digest_of(opened.file)
        key = (opened.identity, opened.size, opened.mtime_ns)
        with self._lock:
            known = self._digests.get(key)
        if known is not None:
            return known
        digest = digest_of(opened.file)
        with self._lock:
            self._digests[key] = digest
            if len(self._digests) > _MOST_PROVEN:
                self._digests.popitem(last=False)
        return digest


def open_original(photo: PhotoFile, proven: ProvenFiles) -> OpenedFile:
    """Open the photo's file if it holds the indexed content.

    Raises ``ImageError`` with a short reason.
    """
    if photo.failure is not None or photo.content_hash is None:  # its content is unknown
        raise ImageError(photo.path, f"not a photo when it was indexed ({photo.failure or 'never read'})")
    opened = open_photo_file(photo)
    try:
        is_it = opened.as_indexed and photo.identity is not None and opened.identity == photo.identity
        if not is_it and opened.size == photo.file.size:
            is_it = proven.digest(opened) == photo.content_hash
        if not is_it:
            raise ImageError(photo.path, opened.changed)
        return opened
    except OSError as error:
        opened.file.close()
        raise ImageError(photo.path, (error.strerror or str(error)).lower()) from None
    except BaseException:
        opened.file.close()
        raise


def read_original(photo: PhotoFile, proven: ProvenFiles) -> bytes:
    """Read the photo's file if it holds the indexed content. Raises ``ImageError``."""
    opened = open_original(photo, proven)
    with opened.file as stream:
        if opened.size > MAX_BYTES:
            raise ImageError(photo.path, f"larger than {MAX_BYTES >> 30} GB")
        return stream.read(MAX_BYTES)


def open_photo_file(photo: PhotoFile) -> OpenedFile:
    """Open the regular file at the photo's path, whatever it holds.

    The caller must check the content. Raises ``ImageError`` with a short reason.
    """
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
        identity = identity_of(status, is_link)
        return OpenedFile(
            os.fdopen(descriptor, "rb"),
            status.st_size,
            status.st_mtime_ns,
            as_indexed=found_file(photo.file.path, status) == photo.file,
            is_same=is_same_file(identity, photo.identity),
            is_link=is_link,
            identity=identity,
        )
    except BaseException:
        os.close(descriptor)
        raise


def _open(photo: PhotoFile) -> tuple[int, bool]:
    """Return a file descriptor, and True if the name is a link.

    Raises ``OSError``.
    """
    *folders, name = photo.file.path.split("/")
    if ".." in folders or not is_photo_name(name):  # no scan finds such a path
        raise OSError(errno.ENOENT, "no such file")
    if os.open not in os.supports_dir_fd:
        return os.open(photo.path, _FILE), photo.path.is_symlink()
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
