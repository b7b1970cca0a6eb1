"""The image tower by how many photos it is given at a time, and on how many threads.

    python -m benchmarks.towerbatch

All cores together on one batch, as ONNX Runtime has it by itself, against a thread for each core with a batch
of its own, as `index` runs it; the pixels are ready.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from twobranch.common.cpu import usable_cores
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import IMAGE_TOWER, IMAGE_TOWER_INT8

BATCHES = (1, 2, 4, 16)
PHOTOS = 64
RUNS = 5


def session(tower: Path, threads: int) -> Any:
    """The tower with so many threads for each run."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(str(tower), options, providers=["CPUExecutionProvider"])


def rate(tower: Any, size: int, batch: int, workers: int) -> float:
    """Photos a second; the median of some runs, after one that is not counted."""
    pixels = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    times = []
    with ThreadPoolExecutor(workers) as threads:
        for _ in range(RUNS + 1):
            started = time.perf_counter()
            list(threads.map(lambda _: tower.run(None, {"pixels": pixels}), range(PHOTOS // batch)))
            times.append(time.perf_counter() - started)
    return PHOTOS // batch * batch / statistics.median(times[1:])


def main() -> None:
    encoder, cores = Encoder.load("default"), usable_cores()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, ONNX Runtime {onnxruntime.__version__}; "
        f"medians of {RUNS} after one more; photos a second\n"
    )
    print("| photos at a time | all cores together | a core each | a core each, int8 |")
    print("|---|---|---|---|")
    together = session(encoder.folder / IMAGE_TOWER, cores)
    each, int8 = (session(encoder.folder / tower, 1) for tower in (IMAGE_TOWER, IMAGE_TOWER_INT8))
    for batch in BATCHES:
        rates = [
            rate(tower, encoder.image_size, batch, workers)
            for tower, workers in ((together, 1), (each, cores), (int8, cores))
        ]
        print(f"| {batch} | {' | '.join(f'{one:.0f}' for one in rates)} |", flush=True)


if __name__ == "__main__":
    main()
