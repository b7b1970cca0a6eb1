"""Searches of a library that is open already: how long, and how many of exact search's ten best they find.

    python -m benchmarks.biglibrary 1000000 /tmp/library
    python -m benchmarks.warmsearch /tmp/library

The questions are worded otherwise than the trial queries that the inverted lists were measured with when they
were built. The baseline is exact search, in the same process; beyond two million photos its matrix would take
too much disk, and the ten best are found in one pass over the catalogue instead.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.approximate import Best
from indexer.galleries import TRIAL_QUERIES, Index
from indexer.vectors import BLOCK, as_matrix
from retrieval.engine import SearchEngine

K = 10
MOST_EXACT = 2_000_000


def milliseconds(index: Index, queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """(Q,) of one search each, rising, after one that is not counted."""
    index.search(queries[:1], K)
    times = []
    for query in queries:
        started = time.perf_counter()
        index.search(query[None], K)
        times.append(1000 * (time.perf_counter() - started))
    return np.sort(times)


def ten_best(engine: SearchEngine, queries: NDArray[np.float32]) -> NDArray[np.int64]:
    """(Q, K) ids of the best of all vectors, block by block."""
    assert engine.model is not None
    best = Best(queries, K)
    newest = 0
    while block := engine.catalog.vectors_after("images", engine.model.id, newest, BLOCK):
        ids = np.array([id_ for id_, _ in block], dtype=np.int64)
        best.add(ids, as_matrix([vector for _, vector in block], queries.shape[1]))
        newest = block[-1][0]
    return best.ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("library", type=Path)
    arguments = parser.parse_args()
    with SearchEngine.open(arguments.library) as engine:
        queries = engine.encoder.encode_texts([f"a photo of {query}" for query in TRIAL_QUERIES])
        index = engine.index("images")
        found = np.concatenate([index.search(query[None], K)[1] for query in queries])
        best = ten_best(engine, queries)
        shared = [len(np.intersect1d(a, b)) / K for a, b in zip(found, best, strict=True)]
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}; "
            f"{len(index):,} photos, {len(queries)} queries, {K} hits\n"
        )
        print("| search | median | slowest | of the ten best |")
        print("|---|---|---|---|")
        ours = milliseconds(index, queries)
        print(
            f"| as it comes | {np.median(ours):.1f} ms | {ours[-1]:.1f} ms | {100 * np.mean(shared):.1f}% |"
        )
    if len(index) <= MOST_EXACT:
        with SearchEngine.open(arguments.library, exact=True) as engine:
            theirs = milliseconds(engine.index("images"), queries)
        print(f"| exact | {np.median(theirs):.1f} ms | {theirs[-1]:.1f} ms | 100% |")


if __name__ == "__main__":
    main()
