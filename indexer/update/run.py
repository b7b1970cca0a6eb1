"""The state that the steps of an ``index`` run share.

It holds the encoder, the catalogue, the progress display and the statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twobranch.common.cpu import usable_cores
from twobranch.common.progress import Progress, showing
from twobranch.embedding.preprocess import MAX_PIXELS, View
from twobranch.indexer.catalog.tables import Catalog

# Measured (benchmarks/scale.md): memory of the program with its model and current batches, and per thread.
_PROGRAM_MB = 200
_WORKER_MB = 25
_LEAST_DECODING_MB = 64
_BATCH_SIZES = (1, 2, 4)  # larger ones only take memory, even with a large CPU cache


class AnyEncoder(Protocol):
    """The part of ``embedding.encoder.Encoder`` that indexing uses."""

    name: str
    folder: Path
    dim: int
    image_size: int

    @property
    def fingerprint(self) -> str: ...

    @property
    def views(self) -> Sequence[View]: ...

    def prepare(self) -> None: ...

    def check(self) -> None: ...

    def encode_views(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]: ...

    def encode_each_view(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]: ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Failure:
    """A photo that could not be indexed."""

    path: str  # absolute
    reason: str


@dataclass
class RunStats:
    """The counts of a run so far."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: list[Failure] = field(default_factory=list)
    unreachable: int = 0
    skipped_links: list[str] = field(default_factory=list)  # absolute paths of links to folders
    encoded: int = 0
    encoding_seconds: float = 0.0
    captions_added: int = 0
    captions_repeated: int = 0  # lines that were added, but repeat captions
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Effort:
    """The limits of a run on threads, memory and photo size."""

    workers: int = field(default_factory=usable_cores)  # threads that read and encode photos
    memory_mb: int = 400  # of the whole process; a photo that needs more is decoded alone
    batch_size: int | None = None  # photos encoded together by a thread; None: measured
    transaction: int = 32  # photos committed together, and lost together on a crash
    max_pixels: int = MAX_PIXELS  # of a photo; larger ones are refused when their header is read

    @property
    def decoding_bytes(self) -> int:
        """The memory for all photos that are being decoded, in bytes."""
        own = _PROGRAM_MB + self.workers * _WORKER_MB
        return max(self.memory_mb - own, _LEAST_DECODING_MB) << 20

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes to choose from."""
        return _BATCH_SIZES if self.batch_size is None else (self.batch_size,)


@dataclass(frozen=True)
class Run:
    """One ``index`` run; ``model_id`` is the catalogue's id of ``encoder``."""

    catalog: Catalog
    encoder: AnyEncoder
    model_id: int
    effort: Effort
    progress: Progress
    stats: RunStats
    regions: tuple[View, ...] = ()  # windows of each photo that are encoded as well

    @property
    def photos_a_transaction(self) -> int:
        """The number of photos that are committed together.

        There are fewer with windows, so that a run needs about as much memory for pixels.
        """
        whole = len(self.encoder.views)
        fewer = self.effort.transaction * whole // (whole + len(self.regions))
        return self.effort.transaction if not self.regions else max(self.effort.workers, fewer)

    def warn(self, message: str) -> None:
        """Show a warning, and keep it for the report."""
        self.stats.warnings.append(message)
        self.progress.warn(message)

    def showing(self, label: str, total: int | None) -> AbstractContextManager[None]:
        """Show a piece of work while the block runs."""
        return showing(self.progress, label, total)
