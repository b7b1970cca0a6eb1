"""Files that are replaced in one step: whoever reads sees the old one or the new one, whole."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A file to write beside ``path``, which it replaces when the block ends well; else it is deleted.

    The content is on the disk before the name is, and the name before this returns: a power cut leaves the
    old file or the new one, whole. That takes milliseconds, on a spinning disk tens of them; what nobody
    misses after a power cut need not be ``durable``, and whoever reads it must stand an empty file. Raises
    ``OSError``.
    """
    # The thread too: two of one server may write the same file at the same moment.
    partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield partial
        if durable:
            sync(partial)
        partial.replace(path)
        if durable:
            sync_folder(path.parent)
    finally:
        with suppress(OSError):  # as the disk fails; what matters is why it was left
            partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the content of a file is on the disk. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR)  # Windows syncs nothing that is open for reading only
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    with suppress(OSError):  # Windows opens no folder, and some network drives sync none
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
