"""Photos read and encoded by threads, while the caller writes what is ready.

Reading and encoding are tasks of one pool with a thread for each core: ONNX Runtime, Pillow and hashing all
let go of Python's lock, each run of the tower keeps to its thread, and so no core waits while there is
anything to do. Tasks start in the order they were given, and at most ``ahead`` photos are read before they
are asked for, which bounds the memory.
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

_TRIALS = 4  # batches of each size before one is settled on


class BatchSize:
    """How many photos a thread gives the tower at a time: the fastest of some sizes, measured on the first
    photos of the run itself."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._untried = deque(_TRIALS * list(sizes))
        self._least: dict[int, float] = {}  # seconds a photo, with each size
        self._lock = Lock()

    def next(self) -> int:
        """The size of the next batch."""
        with self._lock:
            if self._untried:
                return self._untried.popleft()
            return min(self._least, key=self._least.__getitem__, default=self._sizes[0])

    def took(self, size: int, seconds: float) -> None:
        """Tells how long a batch took. Of one size only the fastest counts: the others were disturbed."""
        with self._lock:
            if size in self._sizes:
                self._least[size] = min(seconds / size, self._least.get(size, seconds))


class Workers:
    """A pool of threads that read and encode. Leaving the block drops what has not begun."""

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
        """``work`` of each item, in their order; at most ``ahead`` are begun before they are asked for."""
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
        """For each of N photos of (V, S, S, 3) pixels, its (D,) vector to come."""
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
        except BaseException as error:  # whoever waits for the vectors shall have it
            for place in places:
                place.set_exception(error)
            return
        self._batch_size.took(len(photos), time.perf_counter() - started)
        for place, row in zip(places, rows, strict=True):
            place.set_result(row)
