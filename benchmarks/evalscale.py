"""`eval` from process start to exit, by size of the library.

    python -m benchmarks.evalscale 1000 5000 [--folder DIR]

Photos with five captions each. The baseline, run in turn with it, is the evaluation that is written first: it
reads the same vectors from the same catalogue, multiplies them into one float32 matrix, and sorts that both
ways. It has no exact ties, no intervals, no check of the index, and keeps nothing. Libraries are made by
`benchmarks.biglibrary`; --folder keeps them for the next time.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import numpy as np

from benchmarks.biglibrary import Sizes
from benchmarks.processes import RUNS, compared
from twobranch.indexer.catalog.connection import CATALOG

ROOT = Path(__file__).parent.parent
CAPTIONS = 5
NAIVE = """
import sqlite3, sys
import numpy as np

def read(statement):
    rows = catalog.execute(statement).fetchall()
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), dtype="<f4")
    return np.array([item for item, _ in rows]), vectors.reshape(len(rows), -1)

def ranks(scores, query_items, gallery_items):
    order = np.argsort(-scores, axis=1)
    return 1 + np.argmax(gallery_items[order] == query_items[:, None], axis=1)

catalog = sqlite3.connect(sys.argv[1])
photo_items, photos = read("SELECT image_id, vector FROM image_vectors")
caption_items, captions = read(
    "SELECT c.image_id, v.vector FROM caption_vectors v JOIN captions c ON c.id = v.caption_id"
)
scores = captions @ photos.T
for found in (ranks(scores, caption_items, photo_items), ranks(scores.T, photo_items, caption_items)):
    print(*(round(100 * np.mean(found <= k), 2) for k in (1, 5, 10)), np.median(found), np.mean(found))
"""


def main() -> None:
    asked = Sizes.asked_for(__doc__)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}; medians of {RUNS} after one more\n"
    )
    print("| photos | captions | eval | memory | naive NumPy | ratio |")
    print("|---|---|---|---|---|---|")
    for size, library in asked.libraries("captioned", CAPTIONS):
        evaluation = [sys.executable, str(ROOT / "cli.py"), "--library", str(library), "eval"]
        naive = [sys.executable, "-c", NAIVE, str(library / CATALOG)]
        print(f"| {size:,} | {CAPTIONS * size:,} | {compared(evaluation, naive)}", flush=True)


if __name__ == "__main__":
    main()
