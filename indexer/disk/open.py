"""Opening what has a photo's name: it may be anything, and may become anything else at any moment.

Whoever may write into a folder of photos may put there, in a photo's place, a link to a file that only we can
read, or a second name of it. So a file is known again by what the system says of it once it is open.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from twobranch.common.errors import ImageError

MAX_BYTES = 1 << 30  # as the largest photo that `load_photo` takes, uncompressed with 16 bits a channel
CHANGED = "changed since it was indexed; run `index`"
_BLOCK = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder, not a photo",
    stat.S_IFIFO: "a pipe, not a photo",
    stat.S_IFSOCK: "a socket, not a photo",
}


def open_file(path: Path) -> BinaryIO:
    """The regular file at ``path``, open for reading.

    Raises ``ImageError`` for what is none, and for a link that leads nowhere; ``OSError`` as ``open`` does.
    """
    try:
        # Asked before it is opened: a device may do anything when it is.
        _check_regular(path, path.stat())
    except OSError as error:
        if not path.is_symlink():
            raise
        fact = "to a file that is not there" if isinstance(error, FileNotFoundError) else _fact(error)
        raise ImageError(path, f"a link {fact}") from None
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 (the caller's to close)
    try:
        _check_regular(path, os.fstat(file.fileno()))  # it may have been replaced since
    except ImageError:
        file.close()
        raise
    return file


def read_file(path: Path, content: str | None = None) -> bytes:
    """The bytes of the photo file at ``path``.

    Raises ``ImageError`` for what cannot be read, and where they are not those that ``content`` names.
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
    """The sha256 of an open file, which is then at its beginning again."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    file.seek(0)
    return digest.digest()


def content_name(content_hash: bytes | None) -> str | None:
    """The name of a file's content in hits and answers, from its sha256."""
    return content_hash[:8].hex() if content_hash else None


def identity_of(status: os.stat_result, is_link: bool) -> str | None:
    """What tells an open file from any other: ``file 2049 131 1700000000000000000``.

    Whether its name is that of a link, its device, its inode, and the time of its last change, its attributes
    and names among it, which nobody can set: an inode may be given to another file, but not with its time.
    None where the file system numbers no files.
    """
    if not status.st_ino:
        return None
    return f"{'link' if is_link else 'file'} {status.st_dev} {status.st_ino} {status.st_ctime_ns}"


def is_same_file(identity: str | None, other: str | None) -> bool:
    """Whether both are known and of one file with one name, that may have been written to, and of no link."""
    if identity is None or other is None:
        return False
    return identity.split()[:-1] == other.split()[:-1] and identity.startswith("file ")


def _fact(error: OSError) -> str:
    return f"that cannot be followed ({(error.strerror or str(error)).lower()})"


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(path, _KINDS.get(stat.S_IFMT(status.st_mode), "a device, not a photo"))


def _without_waiting(path: str, flags: int) -> int:
    """A pipe would wait for somebody to write into it. Windows has neither the flag nor such pipes."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
