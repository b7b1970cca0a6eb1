"""Files that are replaced in one step: whoever reads sees the old one or the new one, whole."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STALE = 3600  # seconds; no writing takes that long


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write beside ``path``, which it replaces when the block ends well; else it is deleted.

    Raises ``OSError``.
    """
    # The thread too: two of one server may write the same file at the same moment.
    partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        with suppress(OSError):  # as the disk fails; what matters is why it was left
            partial.unlink(missing_ok=True)


def remove_left_overs(library: Path) -> None:
    """Deletes what processes that were killed left of files they were writing.

    Of one that is younger than an hour nobody knows: a search writes too, and the library may lie on a server
    that others write to.
    """
    for partial in library.glob("*.part"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > _STALE:
                partial.unlink()
