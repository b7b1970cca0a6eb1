"""How many processor cores there are for us."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """The cores this process may run on: fewer than there are where it was pinned (taskset, docker)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def products_on_one_core() -> None:
    """Has NumPy's linear algebra stay on the thread that calls it; to be called before NumPy is imported.

    Where threads search side by side, each with a core, the library's own would wait for each other and spin
    meanwhile: twice the processor time for every search. What the user has set is kept.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")
