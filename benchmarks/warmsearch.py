"""Searches of a library that is open already: how long, and how many of exact search's ten best they find.

    python -m benchmarks.warmsearch 100000 1000000 [--folder DIR]

The questions are worded otherwise than the trial queries that inverted lists are measured with when they are
built. A search through the Python API goes from words to hits with paths and confidences; the baseline is
FAISS's own call on the same vectors or lists, for sentences that are encoded already. Libraries are made by
`benchmarks.biglibrary`; --folder keeps them for the next time.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.biglibrary import Sizes
from twobranch.indexer.vectors.codec import as_matrix
from twobranch.indexer.vectors.exact import BLOCK, VectorIndex
from twobranch.indexer.vectors.index import TRIAL_QUERIES, Index
from twobranch.indexer.vectors.ivf import Best, LargeIndex
from twobranch.retrieval.engine import SearchEngine

K = 10
QUESTIONS = [f"{words} {query}" for words in ("a photo of", "somewhere there is") for query in TRIAL_QUERIES]


def milliseconds(search: Callable[[int], object]) -> NDArray[np.float64]:
    """(Q,) of one search for each question, after one that is not counted."""
    search(0)
    times = []
    for number in range(len(QUESTIONS)):
        started = time.perf_counter()
        search(number)
        times.append(1000 * (time.perf_counter() - started))
    return np.array(times)


def bare(index: Index, queries: NDArray[np.float32]) -> Callable[[int], object]:
    """FAISS's call for the n-th query, and nothing else."""
    if isinstance(index, LargeIndex):
        parameters = faiss.SearchParametersIVF(nprobe=index.lists.probes)
        return lambda n: index.lists.index.search(queries[n][None], K, params=parameters)
    assert isinstance(index, VectorIndex)
    flat = faiss.IndexFlatIP(index.dim)
    flat.add(np.ascontiguousarray(index.rows))
    return lambda n: flat.search(queries[n][None], K)


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


def row(library: Path) -> str:
    """One line of the table."""
    with SearchEngine.open(library) as engine:
        index = engine.index("images")
        queries = engine.encoder.encode_texts(QUESTIONS)
        whole = milliseconds(lambda n: engine.search(QUESTIONS[n], K))
        vectors = milliseconds(lambda n: index.search(queries[n][None], K))
        alone = milliseconds(bare(index, queries))
        found = np.concatenate([index.search(query[None], K)[1] for query in queries])
        best = ten_best(engine, queries)
    shared = np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(found, best, strict=True)])
    cells = [f"{np.median(times):.1f} ms | {np.percentile(times, 99):.1f} ms" for times in (whole, vectors)]
    return f"| {len(index):,} | {' | '.join(cells)} | {np.median(alone):.1f} ms | {100 * shared:.1f}% |"


def main() -> None:
    asked = Sizes.asked_for(__doc__)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}, FAISS {faiss.__version__}; "
        f"{len(QUESTIONS)} questions, {K} hits\n"
    )
    print("| photos | words to hits, median | p99 | vectors, median | p99 | FAISS's call | of the ten best |")
    print("|---|---|---|---|---|---|---|")
    for _, library in asked.libraries():
        print(row(library), flush=True)


if __name__ == "__main__":
    main()
