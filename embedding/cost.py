"""Speed and memory of a model on this machine.

Measuring takes some seconds. Each tower is measured in a process of its own: memory that another one left
would hide what it takes.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime  # noqa: F401 (before the memory is measured: it is not the model's)

from twobranch.common.cpu import usable_cores
from twobranch.common.errors import ModelError
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.generated_photo import MEGAPIXELS, generated_jpeg
from twobranch.embedding.language import ENGLISH
from twobranch.embedding.model_folder import IMAGE_TOWER_INT8, read_config, write_config

_SECONDS = 1.5  # of each rate
_QUERY = "a dog on a beach"
_QUERIES = 15  # after some that are not counted
T = TypeVar("T")


@dataclass(frozen=True)
class ImageCost:
    """The cost of an image tower."""

    photos_per_s: float  # JPEGs, decoded and encoded by all cores, as `index` does
    images_per_s: float  # square pixels through the tower alone, by all cores
    memory_mb: float | None  # the peak it adds to a process; None where the system does not tell


@dataclass(frozen=True)
class TextCost:
    """The cost of a text tower."""

    query_ms: float  # a short sentence on one core, in a loaded tower; the median
    memory_mb: float | None  # as for an image tower


@dataclass(frozen=True)
class ModelCost:
    """The cost of a model on this machine."""

    cores: int
    sample: str  # the photos of ``photos_per_s``, in words
    image: ImageCost
    image_int8: ImageCost | None  # of the 8-bit tower, if the model has one
    text: TextCost

    def in_words(self) -> str:
        """Return the figures in one line."""
        int8 = "" if self.image_int8 is None else f" ({self.image_int8.photos_per_s:g} with --int8)"
        return f"{self.image.photos_per_s:g}{int8} {self.sample} a second; a query {self.text.query_ms:g} ms"

    def as_json(self) -> dict[str, Any]:
        """Return the table ``cost`` for ``config.json``."""
        return asdict(self)


def measure_cost(folder: Path) -> ModelCost:
    """Measure the towers of a model folder.

    Raises ``ModelError`` for one that cannot be loaded, or takes more memory than there is.
    """
    has_int8 = IMAGE_TOWER_INT8 in read_config(folder).files
    with tempfile.TemporaryDirectory() as temporary:
        photo = Path(temporary, "photo.jpg")
        photo.write_bytes(generated_jpeg())
        return ModelCost(
            cores=usable_cores(),
            sample=f"generated JPEGs of {MEGAPIXELS} megapixels",
            image=_in_own_process(_measure_image, folder, photo, False),
            image_int8=_in_own_process(_measure_image, folder, photo, True) if has_int8 else None,
            text=_in_own_process(_measure_text, folder),
        )


def record_cost(folder: Path) -> ModelCost:
    """Measure a model folder, and store the result in its configuration."""
    cost = measure_cost(folder)
    write_config(folder, replace(read_config(folder), cost=cost.as_json()))
    return cost


def _in_own_process(measure: Callable[..., T], folder: Path, *arguments: object) -> T:
    # "spawn": a forked process would begin with the memory of this one
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        try:
            return process.submit(measure, folder, *arguments).result()
        except BrokenProcessPool:
            raise ModelError(
                f"{folder}: cannot be measured here; the process was ended, perhaps for lack of memory"
            ) from None


def _measure_image(folder: Path, photo: Path, int8: bool) -> ImageCost:
    before = _memory_now()
    encoder = Encoder.load(folder, int8=int8)
    side = encoder.image_size
    pixels = np.zeros((1, 1, side, side, 3), dtype=np.uint8)
    images = _rate(lambda: encoder.encode_each_view(pixels))
    photos = _rate(lambda: encoder.encode_images([photo]))  # a single photo stays on the calling thread
    return ImageCost(round(photos, 1), round(images, 1), _added(before))


def _measure_text(folder: Path) -> TextCost:
    before = _memory_now()
    encoder = Encoder.load(folder)
    times = []
    for _run in range(3 + _QUERIES):
        started = time.perf_counter()
        encoder.encode_texts([_QUERY], ENGLISH)
        times.append(time.perf_counter() - started)
    return TextCost(round(1000 * statistics.median(times[3:]), 2), _added(before))


def _rate(work: Callable[[], object]) -> float:
    """Return how often all cores do ``work`` in a second.

    Each does it once uncounted.
    """

    def repeat(_: int) -> float:
        work()
        started, done = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < _SECONDS or not done:
            work()
            done += 1
        return done / passed

    with ThreadPoolExecutor(usable_cores()) as threads:
        return sum(threads.map(repeat, range(usable_cores())))


def _added(before: float | None) -> float | None:
    peak = _peak_memory()
    return None if before is None or peak is None else round(peak - before)


def _memory_now() -> float | None:
    """Return the memory of this process in MB.

    It must not have had a higher peak yet.
    """
    return _status_line("VmRSS") if sys.platform == "linux" else _peak_memory()


def _peak_memory() -> float | None:
    """Return the peak memory of this process in MB.

    None if unknown.
    """
    if sys.platform == "linux":  # ru_maxrss would begin with the peak of the process that started this one
        return _status_line("VmHWM")
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # in bytes on macOS


def _status_line(name: str) -> float:
    """Return a line of ``/proc/self/status``, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / 1e6
