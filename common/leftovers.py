"""What is left of files that were being written when a process was killed."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

LEFT_OVERS = "*.part*"  # and the logs of catalogues among them
_STALE = 3600  # seconds; no writing takes that long


def remove_left_overs(library: Path) -> None:
    """Deletes what processes that were killed left of files they were writing.

    Of one that is younger than an hour nobody knows: a search writes too, and the library may lie on a server
    that others write to.
    """
    for partial in library.glob(LEFT_OVERS):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > _STALE:
                partial.unlink()
