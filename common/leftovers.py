"""Temporary files and folders of processes that were killed while writing."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

LEFT_OVERS = "*.part*"  # includes the logs of unfinished catalogues
_STALE = 3600  # seconds; writing a file never takes that long


def remove_left_overs(library: Path) -> None:
    """Delete temporary files that killed processes left behind.

    Files younger than an hour are kept, because they may still be in use: a search writes too, and the
    library may lie on a server that other machines write to.
    """
    for partial in library.glob(LEFT_OVERS):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > _STALE:
                partial.unlink()


def remove_left_over_folders(home: Path, pattern: str) -> None:
    """Delete unfinished folders that killed processes left in ``home``.

    One in which a file was written within an hour is kept.
    """
    for partial in home.glob(pattern):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (partial, *partial.iterdir()))
            if time.time() - newest > _STALE:
                shutil.rmtree(partial)
