"""Timing whole processes, from start to exit."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence


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
