"""The number of processor cores this process can use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the number of cores this process may run on.

    A pinned process (taskset, docker) has fewer than the machine.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def products_on_one_core() -> None:
    """Limit NumPy's linear algebra to one thread. Call this before NumPy is imported.

    Threads that search in parallel have a core each. The linear algebra library's own threads would wait for
    each other and spin meanwhile: twice the processor time for every search. Values that the user has set are
    kept.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")
