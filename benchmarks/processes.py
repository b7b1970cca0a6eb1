"""Timing whole processes, from start to exit, against a baseline that runs in turn with them."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence

RUNS = 5


def run(command: Sequence[str]) -> tuple[float, float]:
    """Seconds from start to exit, and the largest memory in MB. Ends the program if the command fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def compared(command: Sequence[str], baseline: Sequence[str]) -> str:
    """Cells of a table: seconds and megabytes of ``command``, seconds of ``baseline``, the ratio of the two;
    medians of ``RUNS`` after one more."""
    pairs = [(run(command), run(baseline)) for _ in range(RUNS + 1)][1:]
    seconds, memory = (statistics.median(ours[i] for ours, _ in pairs) for i in (0, 1))
    least = statistics.median(theirs for _, (theirs, _) in pairs)
    return f"{seconds:.2f} s | {memory:,.0f} MB | {least:.2f} s | {seconds / least:.1f} |"
