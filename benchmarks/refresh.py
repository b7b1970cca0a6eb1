"""`index` over photos that have not changed, from process start to exit.

    python -m benchmarks.refresh 20000 100000

The baseline, run in turn with it, is what any program must do: start Python and ask the file system for the
size and time of each file. The files have one byte: nothing reads them.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks.biglibrary import make_library
from benchmarks.processes import RUNS, compared

ROOT = Path(__file__).parent.parent
WALK = """
import os, sys
folders = [sys.argv[1]]
while folders:
    with os.scandir(folders.pop()) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                entry.stat()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="+")
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"medians of {RUNS} after one more\n"
    )
    print("| photos | index | memory | walk alone | ratio |")
    print("|---|---|---|---|---|")
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as temporary:
            library, photos = Path(temporary, "library"), Path(temporary, "photos")
            make_library(library, size, photos)
            index = [sys.executable, str(ROOT / "cli.py"), "--library", str(library), "index", str(photos)]
            walk = [sys.executable, "-c", WALK, str(photos)]
            print(f"| {size:,} | {compared(index, walk)}", flush=True)


if __name__ == "__main__":
    main()
