"""One search from process start to exit, by size of the library.

    python -m benchmarks.coldsearch 1000 10000 100000 [--folder DIR]

The baseline, run in turn with it, is what any program of this kind pays: starting Python and importing NumPy
and ONNX Runtime. Libraries are made by `benchmarks.biglibrary`; --folder keeps them for the next time.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import numpy as np

from benchmarks.biglibrary import Sizes
from benchmarks.processes import RUNS, compared

ROOT = Path(__file__).parent.parent
QUERY = "red car on a street"


def main() -> None:
    asked = Sizes.asked_for(__doc__)
    baseline = [sys.executable, "-c", "import numpy, onnxruntime"]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}; medians of {RUNS} after one more\n"
    )
    print("| photos | search | memory | baseline | ratio |")
    print("|---|---|---|---|---|")
    for size, library in asked.libraries():
        search = [sys.executable, str(ROOT / "cli.py"), "--library", str(library), "search", QUERY]
        print(f"| {size:,} | {compared(search, baseline)}", flush=True)


if __name__ == "__main__":
    main()
