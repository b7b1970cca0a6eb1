"""One search from process start to exit, by size of the library.

    python -m benchmarks.coldsearch 1000 10000 100000 [--folder DIR]

The baseline, run in turn with it, is what any program of this kind pays: starting Python and importing NumPy
and ONNX Runtime. Libraries are made by `benchmarks.biglibrary`; --folder keeps them for the next time.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.biglibrary import make_library
from benchmarks.processes import RUNS, compared

ROOT = Path(__file__).parent.parent
QUERY = "red car on a street"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--folder", type=Path, help="where libraries are, and are kept")
    arguments = parser.parse_args()
    baseline = [sys.executable, "-c", "import numpy, onnxruntime"]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}; medians of {RUNS} after one more\n"
    )
    print("| photos | search | memory | baseline | ratio |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for size in arguments.sizes:
            library = (arguments.folder or Path(temporary)) / f"library-{size}"
            if not library.exists():
                make_library(library, size)
            search = [sys.executable, str(ROOT / "cli.py"), "--library", str(library), "search", QUERY]
            print(f"| {size:,} | {compared(search, baseline)}", flush=True)


if __name__ == "__main__":
    main()
