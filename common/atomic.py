"""Replace files in one step. A reader sees the old file or the new one, never a part of one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, *, durable: bool = True, partial_in: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the block ends.

    The temporary file lies beside ``path``, or in the folder ``partial_in`` on the same disk. It is deleted
    when the block raises. If ``durable``, the content is synced to disk before the rename, and the folder
    after it: a power cut leaves the old file or the new one, whole. This takes milliseconds, on a spinning
    disk tens of them. If not ``durable``, a power cut can leave an empty file, which readers must expect.
    Raises ``OSError``.
    """
    # With the thread's number: two threads of a server may write the same file at the same time.
    folder = path.parent if partial_in is None else partial_in
    partial = folder / f"{path.name}.{os.getpid()}-{threading.get_ident()}.part"
    try:
        yield partial
        if durable:
            sync(partial)
        partial.replace(path)
        if durable:
            sync_folder(path.parent)
    finally:
        with suppress(OSError):  # on a failing disk; the error from the block matters more
            partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the content of a file is on the disk. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR)  # Windows syncs no file that is open for reading only
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until a folder's file names are on the disk. Does nothing where the system cannot do that."""
    with suppress(OSError):  # Windows opens no folders, and some network drives sync none
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
