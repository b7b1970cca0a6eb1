"""Opening what has a photo's name: it may be anything, and may become anything else at any moment."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from embedding.errors import ImageError

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


def _fact(error: OSError) -> str:
    return f"that cannot be followed ({(error.strerror or str(error)).lower()})"


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(path, _KINDS.get(stat.S_IFMT(status.st_mode), "a device, not a photo"))


def _without_waiting(path: str, flags: int) -> int:
    """A pipe would wait for somebody to write into it. Windows has neither the flag nor such pipes."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
