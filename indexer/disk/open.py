"""Open photo files safely: only regular files, checked again once open.

A path with a photo's name may lead to anything, and may change at any moment. A person who can write into a
folder of photos may replace a photo by a link to a file that only we can read, or by a second name of it. So
a file is identified by what the system reports about it once it is open.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from twobranch.common.errors import ImageError

MAX_BYTES = 1 << 30  # the size of the largest photo `load_photo` takes, uncompressed, 16 bits a channel
CHANGED = "changed since it was indexed; run `index`"
_BLOCK = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder, not a photo",
    stat.S_IFIFO: "a pipe, not a photo",
    stat.S_IFSOCK: "a socket, not a photo",
}


def open_file(path: Path) -> BinaryIO:
    """Open the regular file at ``path`` for reading.

    Raises ``ImageError`` for anything but a regular file and for a broken link; ``OSError`` as ``open`` does.
    """
    try:
        # Checked before opening, because opening a device may have side effects.
        _check_regular(path, path.stat())
    except OSError as error:
        if not path.is_symlink():
            raise
        fact = "to a file that is not there" if isinstance(error, FileNotFoundError) else _fact(error)
        raise ImageError(path, f"a link {fact}") from None
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 (the caller's to close)
    try:
        _check_regular(path, os.fstat(file.fileno()))  # the file may have been replaced since
    except ImageError:
        file.close()
        raise
    return file


def read_file(path: Path, content: str | None = None) -> bytes:
    """Read the bytes of the photo file at ``path``.

    Raises ``ImageError`` if it cannot be read, or if its bytes are not those that ``content`` names.
    """
    try:
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise ImageError(path, f"larger than {MAX_BYTES >> 30} GB")
            data = file.read(MAX_BYTES)
    except FileNotFoundError:
        raise ImageError(path, "no such file") from None
    except OSError as error:
        raise ImageError(path, (error.strerror or str(error)).lower()) from None
    if content is not None and content_name(hashlib.sha256(data).digest()) != content:
        raise ImageError(path, CHANGED)
    return data


def digest_of(file: BinaryIO) -> bytes:
    """Return the sha256 of an open file and rewind it."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    file.seek(0)
    return digest.digest()


def content_name(content_hash: bytes | None) -> str | None:
    """Return the name of a file's content, from its sha256. Hits and answers use it."""
    return content_hash[:8].hex() if content_hash else None


def identity_of(status: os.stat_result, is_link: bool) -> str | None:
    """Return an open file's identity, such as ``file 2049 131 1700000000000000000``.

    Its parts are: "link" if the name is that of a link, else "file"; the device; the inode; and the time of
    the last change, including changes of attributes and names. No program can set this time, so an inode
    given to another file comes with another time. None where the file system does not number files.
    """
    if not status.st_ino:
        return None
    return f"{'link' if is_link else 'file'} {status.st_dev} {status.st_ino} {status.st_ctime_ns}"


def is_same_file(identity: str | None, other: str | None) -> bool:
    """Return True if both identities are of one regular file.

    Both must be known, with one name and not a link. The file may have been written to in between.
    """
    if identity is None or other is None:
        return False
    return identity.split()[:-1] == other.split()[:-1] and identity.startswith("file ")


def _fact(error: OSError) -> str:
    return f"that cannot be followed ({(error.strerror or str(error)).lower()})"


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(path, _KINDS.get(stat.S_IFMT(status.st_mode), "a device, not a photo"))


def _without_waiting(path: str, flags: int) -> int:
    """Open without blocking: a pipe would wait for a writer. Windows has neither the flag nor such pipes."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
