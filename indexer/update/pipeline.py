"""Threads that read and encode photos while the caller writes results.

Reading and encoding are tasks of one pool with a thread per core. ONNX Runtime, Pillow and hashing release
Python's global interpreter lock, and each run of the model stays in its thread, so no core is idle while
there is work. Tasks start in the order in which they were submitted. At most ``ahead`` photos are read before
they are requested, which limits the memory.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
R = TypeVar("R")

_TRIALS = 4  # batches measured with each size


class BatchSize:
    """The choice of the fastest batch size.

    A batch is the number of photos that a thread encodes together. The sizes are measured on the first photos
    of the run.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._untried = deque(_TRIALS * list(sizes))
        self._least: dict[int, float] = {}  # seconds per photo, by size
        self._lock = Lock()

    def next(self) -> int:
        """Return the size of the next batch."""
        with self._lock:
            if self._untried:
                return self._untried.popleft()
            return min(self._least, key=self._least.__getitem__, default=self._sizes[0])

    def took(self, size: int, seconds: float) -> None:
        """Record the time of a batch.

        Only the fastest batch of each size counts: the others were slowed down by something else.
        """
        with self._lock:
            if size in self._sizes:
                self._least[size] = min(seconds / size, self._least.get(size, seconds))


class Workers:
    """A pool of threads that read and encode. Leaving the block cancels tasks that have not begun."""

    def __init__(self, n: int, batch_size: BatchSize) -> None:
        self._batch_size = batch_size
        self._threads = ThreadPoolExecutor(n, thread_name_prefix="photos")

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)

    def in_order(self, work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
        """Yield the result of ``work`` for each item, in order.

        At most ``ahead`` items are begun before they are requested.
        """
        pending: deque[Future[R]] = deque()
        for item in items:
            pending.append(self._threads.submit(work, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def encode(
        self,
        encode_views: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
        photos: Sequence[NDArray[np.uint8]],
    ) -> list[Future[NDArray[np.float32]]]:
        """Start encoding N photos, and return a future for each.

        A photo is (V, S, S, 3) uint8 pixels. Its future gives what ``encode_views`` returns for it, such as a
        (D,) float32 vector.
        """
        vectors: list[Future[NDArray[np.float32]]] = []
        start = 0
        while start < len(photos):
            some = photos[start : start + self._batch_size.next()]
            places: list[Future[NDArray[np.float32]]] = [Future() for _ in some]
            self._threads.submit(self._encode_batch, encode_views, some, places)
            vectors += places
            start += len(some)
        return vectors

    def _encode_batch(
        self,
        encode_views: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
        photos: Sequence[NDArray[np.uint8]],
        places: Sequence[Future[NDArray[np.float32]]],
    ) -> None:
        started = time.perf_counter()
        try:
            rows = encode_views(np.stack(photos))
        except BaseException as error:  # passed on to the waiting caller
            for place in places:
                place.set_exception(error)
            return
        self._batch_size.took(len(photos), time.perf_counter() - started)
        for place, row in zip(places, rows, strict=True):
            place.set_result(row)
