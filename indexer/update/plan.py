"""Estimates of time, disk and memory for a large library.

They come from a few seconds of measuring on this machine. Indexing is measured by indexing some photos into a
temporary library, a query and the building of inverted lists by their inner loops. benchmarks/scale.md
compares estimates for one and ten million photos with the measured values.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twobranch.common.errors import UserError
from twobranch.common.paths import expanded
from twobranch.common.progress import SILENT, Progress, showing
from twobranch.embedding.generated_photo import MEGAPIXELS, generated_jpeg
from twobranch.embedding.model_folder import Variant, model_label
from twobranch.embedding.preprocess import REGIONS
from twobranch.indexer.disk.walk import scan
from twobranch.indexer.update.library import update_library
from twobranch.indexer.update.regions import WINDOW_BYTES
from twobranch.indexer.update.run import AnyEncoder, Effort
from twobranch.indexer.vectors.index import LARGE
from twobranch.indexer.vectors.ivf import TRAINING_A_LIST, number_of_lists, scan_seconds

_SAMPLE = 48  # photos that are indexed
_ROWS = 65_536  # of the measured matrix, which is larger than the CPU caches
_RUNS = 5
# Measured on libraries of 100,000 to 10 million (benchmarks/scale.md):
_ROW_BYTES = 500  # per photo in the catalogue, beside its vector
_ID_BYTES = 8
_SEARCH_MB = 170  # memory of a searching process, without its matrix
_KMEANS_ITERATIONS = 10  # FAISS's for inverted lists
# The measured list lies in the CPU cache, in one piece. Real lists lie in memory, the probed ones are larger
# than the average, and their best vectors get exact scores: estimates of 0.6 and 2.1 ms were really 2.5 and
# 8.7.
_OUT_OF_CACHE = 4
_BUILDING = 1.4  # memory for building lists, as a multiple of their size


@dataclass(frozen=True)
class Rates:
    """The measured speeds of this machine, per second."""

    model: str  # that encodes the photos, with the options of its variant
    photos: float  # indexed
    sample: str  # the photos they were measured with, in words
    multiplications: float  # floating-point operations in float32 matrix products
    exact_bytes: float  # of vectors compared with one query
    codes: float  # list entries compared with one query, 8 bits per dimension


@dataclass(frozen=True)
class Estimate:
    """The estimate for a library of ``photos`` photos. Sizes are in bytes, times in seconds."""

    photos: int
    rates: Rates
    lists: int | None  # None: every vector is compared
    probes: int | None
    encoding_s: float
    building_s: float
    query_s: float  # in an open library
    catalog_bytes: int
    index_bytes: int
    indexing_memory: int
    building_memory: int
    search_memory: int  # for an exact search, its mapped matrix, which the system may drop at any time
    disk_free: int
    memory_there: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the output of ``index --plan --json``."""
        return {
            "photos": self.photos,
            "model": self.rates.model,
            "index": "exact" if self.lists is None else "inverted lists",
            "lists": self.lists,
            "probes": self.probes,
            "images_per_s": round(self.rates.photos, 1),
            "measured_on": self.rates.sample,
            "encoding_s": round(self.encoding_s),
            "building_s": round(self.building_s),
            "query_ms": round(1000 * self.query_s, 2),
            "catalog_bytes": self.catalog_bytes,
            "index_bytes": self.index_bytes,
            "indexing_memory_bytes": self.indexing_memory,
            "building_memory_bytes": self.building_memory,
            "search_memory_bytes": self.search_memory,
            "disk_free_bytes": self.disk_free,
            "memory_there_bytes": self.memory_there,
        }


def plan(
    photos: int,
    library: Path,
    paths: Sequence[Path],
    encoder: AnyEncoder,
    effort: Effort | None = None,
    progress: Progress = SILENT,
    *,
    regions: bool = False,
) -> Estimate:
    """Estimate a library of ``photos`` photos like those in ``paths``.

    With ``regions`` windows of each photo are encoded as well. The library itself is not changed. Without
    paths, photos of 12 megapixels are generated. Raises ``UserError`` if the paths have no photo, or none
    that can be read.
    """
    effort = effort or Effort()
    rates = measure(paths, encoder, effort, progress, regions=regions)
    return extrapolate(photos, encoder.dim, rates, effort, library, len(REGIONS) if regions else 0)


@dataclass(frozen=True)
class _IndexCost:
    """The index of one kind of vectors, as in ``Estimate``."""

    query_s: float
    index_bytes: int
    search_memory: int
    lists: int | None = None
    probes: int | None = None
    building_s: float = 0.0
    building_memory: int = 0


def extrapolate(
    photos: int, dim: int, rates: Rates, effort: Effort, library: Path, windows: int = 0
) -> Estimate:
    """Compute an estimate from measured rates.

    ``windows`` of each photo are encoded as well, which the rates include.
    """
    costs = [_index_cost(photos, dim, rates)]
    if windows:
        costs.append(_index_cost(windows * photos, dim, rates))
    return Estimate(
        photos=photos,
        rates=rates,
        lists=costs[0].lists,
        probes=costs[0].probes,
        encoding_s=photos / rates.photos,
        building_s=sum(cost.building_s for cost in costs),
        query_s=sum(cost.query_s for cost in costs),
        catalog_bytes=photos * (4 * dim + _ROW_BYTES) + windows * photos * (4 * dim + WINDOW_BYTES),
        index_bytes=sum(cost.index_bytes for cost in costs),
        indexing_memory=effort.memory_mb * 1_000_000,
        building_memory=max(cost.building_memory for cost in costs),
        search_memory=(_SEARCH_MB << 20) + sum(cost.search_memory for cost in costs),
        disk_free=shutil.disk_usage(_existing(library)).free,
        memory_there=_physical_memory(),
    )


def _index_cost(vectors: int, dim: int, rates: Rates) -> _IndexCost:
    """Compute what an index over so many vectors takes."""
    vector = 4 * dim
    if vectors < LARGE:
        size = vectors * (vector + _ID_BYTES)
        return _IndexCost(vectors * vector / rates.exact_bytes, size, size)
    lists = number_of_lists(vectors)
    probes = _usual_probes(lists)
    codes = vectors * (dim + _ID_BYTES)
    training = TRAINING_A_LIST * lists
    products = lists * (vectors + _KMEANS_ITERATIONS * training)
    return _IndexCost(
        query_s=vectors * probes / lists / rates.codes + lists * vector / rates.exact_bytes,
        index_bytes=codes + lists * vector,
        search_memory=vectors * probes // lists * (dim + _ID_BYTES),
        lists=lists,
        probes=probes,
        building_s=2 * dim * products / rates.multiplications,
        building_memory=int(_BUILDING * codes) + 2 * training * vector,
    )


def _usual_probes(lists: int) -> int:
    """Return a typical number of probed lists.

    Measured: 32 of 2,048 lists and 64 of 8,192, so the number grows with the square root.
    """
    return 1 << round(np.log2(0.7 * np.sqrt(lists)))


def measure(
    paths: Sequence[Path],
    encoder: AnyEncoder,
    effort: Effort,
    progress: Progress = SILENT,
    *,
    regions: bool = False,
) -> Rates:
    """Measure the speeds of this machine. Raises ``UserError`` like ``plan``."""
    with showing(progress, "measuring for some seconds", None):
        rng = np.random.default_rng(0)
        rows = rng.standard_normal((_ROWS, encoder.dim), dtype=np.float32)
        exact = _seconds(lambda: rows[:1] @ rows.T)
        block = rows[:4096]
        product = _seconds(lambda: block @ block.T)
        encoder.prepare()  # 0.2 s, too much among so few photos
        with tempfile.TemporaryDirectory() as temporary:
            sample = _sample(paths) if paths else _generated(Path(temporary))
            library = Path(temporary, "library")
            report = update_library(library, sample, encoder, regions=regions, effort=effort)
        if report.images_per_s is None:
            first = report.failed[0]
            raise UserError(f"none of {len(sample)} photos can be read; {first.path}: {first.reason}")
    return Rates(
        model=model_label(encoder.name, Variant.of_fingerprint(encoder.fingerprint)),
        photos=report.images_per_s,
        sample=f"{report.encoded} of these photos" if paths else f"generated photos, {MEGAPIXELS} megapixels",
        multiplications=2 * len(block) ** 2 * encoder.dim / product,
        exact_bytes=rows.nbytes / exact,
        codes=_ROWS / scan_seconds(rows, _RUNS) / _OUT_OF_CACHE,
    )


def _sample(paths: Sequence[Path]) -> list[Path]:
    """Return a sample of the photos in these folders, spread evenly."""
    found: list[Path] = []
    for path in map(expanded, paths):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        found += [path / name for name in scan(path).files] if path.is_dir() else [path]
    if not found:
        raise UserError(
            f"no photos in {', '.join(map(str, paths))}; leave the path out to plan with generated ones"
        )
    places = np.linspace(0, len(found) - 1, min(_SAMPLE, len(found)), dtype=int)
    return [found[place] for place in places]


def _generated(folder: Path) -> list[Path]:
    """Write copies of a generated JPEG.

    They differ in the bytes after the picture, so their contents differ.
    """
    jpeg = generated_jpeg()
    photos = [folder / f"{number}.jpg" for number in range(_SAMPLE)]
    for number, photo in enumerate(photos):
        photo.write_bytes(jpeg + b"%d" % number)
    return photos


def _seconds(work: Callable[[], object]) -> float:
    """Return the median time of ``work`` in seconds. The first run is not counted."""
    work()
    times = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _physical_memory() -> int | None:
    """Return the machine's memory in bytes, or None if unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
