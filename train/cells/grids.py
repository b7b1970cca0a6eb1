"""The features of pictures before an image tower pools them.

They are computed once and read in every epoch. A file keeps them in float16, 256 kB a picture at 320 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from twobranch.common.cpu import usable_cores
from twobranch.common.progress import Progress
from twobranch.train.output.tower_outputs import grid_output, with_output

Reader = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
_AHEAD = 256  # pictures between two notes of how far the file is


def grid_reader(tower: Path) -> Reader:
    """Return a function from pixels to grids.

    It maps (N, S, S, 3) uint8 to (N, C, h, w) float32. Each thread that calls it uses one core. Raises
    ``ModelError`` for a tower that pools no grid.
    """
    model = onnx.load(tower)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    graph = with_output(model, grid_output(model)).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda pixels: np.asarray(session.run(None, {"pixels": pixels})[0])


def write_grids(
    path: Path, n: int, picture: Callable[[int], NDArray[np.uint8]], reader: Reader, progress: Progress
) -> NDArray[np.float16]:
    """Compute the grids of ``n`` pictures into a file, on all cores.

    ``picture(i)`` makes the (S, S, 3) pixels of one of them. Returns (n, C, h, w) float16, memory-mapped. A
    run that was stopped goes on where it was: ``path`` with the suffix ``.done`` holds the number of grids
    that are complete.
    """
    shape = (n, *reader(picture(0)[None]).shape[1:])
    note = path.with_suffix(".done")
    done = int(note.read_text()) if note.is_file() and path.is_file() else 0
    grids = np.memmap(path, dtype=np.float16, mode="r+" if done else "w+", shape=shape)

    def compute(at: int) -> None:
        grids[at] = reader(picture(at)[None])[0]
        progress.advance()

    progress.start("grids", n)
    progress.advance(done)
    with ThreadPoolExecutor(usable_cores()) as threads:
        for start in range(done, n, _AHEAD):
            list(threads.map(compute, range(start, min(n, start + _AHEAD))))
            grids.flush()
            note.write_text(str(min(n, start + _AHEAD)))
    progress.finish()
    return grids
