"""Timing whole processes, from start to exit, against a baseline that runs in turn with them."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

RUNS = 5


# A process starts with the peak memory of the one that starts it, so a small one stands in between.
_LAUNCHER = """
import resource, subprocess, sys, time
started = time.perf_counter()
ended = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
seconds = time.perf_counter() - started
sys.stdout.buffer.write(ended.stdout)
print("\\n", seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(ended.returncode)
"""


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    seconds: float
    megabytes: float  # at its peak
    output: str


def run(command: Sequence[str]) -> Ended:
    """Runs a process to its end. Ends the program if the command fails."""
    launched = subprocess.run([sys.executable, "-c", _LAUNCHER, *command], stdout=subprocess.PIPE, text=True)
    if launched.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {launched.returncode}")
    output, _, figures = launched.stdout.rstrip().rpartition("\n")
    seconds, megabytes = map(float, figures.split())
    return Ended(seconds, megabytes, output)


def compared(command: Sequence[str], baseline: Sequence[str]) -> str:
    """Cells of a table: seconds and megabytes of ``command``, seconds of ``baseline``, the ratio of the two;
    medians of ``RUNS`` after one more."""
    pairs = [(run(command), run(baseline)) for _ in range(RUNS + 1)][1:]
    seconds = statistics.median(ours.seconds for ours, _ in pairs)
    memory = statistics.median(ours.megabytes for ours, _ in pairs)
    least = statistics.median(theirs.seconds for _, theirs in pairs)
    return f"{seconds:.2f} s | {memory:,.0f} MB | {least:.2f} s | {seconds / least:.1f} |"
