"""Threads that read and encode: order, batch sizes that are measured, errors, and a limit on memory."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.waiting import PATIENCE, wait_for
from twobranch.indexer.disk.memory import Memory
from twobranch.indexer.update.pipeline import BatchSize, Workers


def photo(shade: int) -> NDArray[np.uint8]:
    """One view of 1 x 1 pixel."""
    return np.full((1, 1, 1, 3), shade, dtype=np.uint8)


def shades(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 1): a tower whose vector of a photo is its shade."""
    return pixels.reshape(len(pixels), -1)[:, :1].astype(np.float32)


# --- batch sizes ------------------------------------------------------------------------------------


def test_the_fastest_batch_size_is_settled_on() -> None:
    batch_size = BatchSize((1, 2, 4))
    seconds = {1: 0.10, 2: 0.12, 4: 0.40}  # a photo: 0.10, 0.06, 0.10
    tried = [batch_size.next() for _ in range(12)]
    assert sorted(tried) == [1] * 4 + [2] * 4 + [4] * 4
    for size in tried:
        batch_size.took(size, seconds[size])
    assert [batch_size.next() for _ in range(3)] == [2, 2, 2]


def test_of_one_batch_size_the_fastest_run_counts() -> None:
    batch_size = BatchSize((1, 2))
    for _ in range(8):
        batch_size.next()
    batch_size.took(2, 9.0)  # something else ran beside it
    batch_size.took(1, 0.2)
    batch_size.took(2, 0.3)  # 0.15 a photo
    assert batch_size.next() == 2


def test_a_batch_size_that_is_given_is_kept() -> None:
    batch_size = BatchSize((3,))
    batch_size.took(1, 0.001)  # the last photos of a run are fewer
    assert [batch_size.next() for _ in range(9)] == [3] * 9


# --- workers ----------------------------------------------------------------------------------------


def test_results_come_in_the_order_of_their_items() -> None:
    def slow_first(n: int) -> int:
        time.sleep(0.02 if n == 0 else 0)
        return n * n

    with Workers(3, BatchSize((1,))) as workers:
        assert list(workers.in_order(slow_first, range(7), ahead=3)) == [0, 1, 4, 9, 16, 25, 36]


def test_no_more_is_read_ahead_than_was_asked_for() -> None:
    begun: list[int] = []
    with Workers(2, BatchSize((1,))) as workers:
        results = workers.in_order(begun.append, range(100), ahead=4)
        next(results)
        wait_for(lambda: len(begun) >= 5)
        time.sleep(0.05)  # in which more would begin
        assert len(begun) == 5  # the one that was asked for, and four


def test_vectors_come_in_the_order_of_their_photos_whatever_the_batches() -> None:
    with Workers(2, BatchSize((1, 2, 4))) as workers:
        vectors = workers.encode(shades, [photo(n) for n in range(50)])
        assert [float(vector.result()[0]) for vector in vectors] == list(range(50))


def test_an_error_of_the_tower_reaches_whoever_waits_for_a_vector() -> None:
    def broken(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise MemoryError("no room")

    with Workers(1, BatchSize((2,))) as workers:
        vectors = workers.encode(broken, [photo(1), photo(2), photo(3)])
        for vector in vectors:
            with pytest.raises(MemoryError, match="no room"):
                vector.result()


def test_what_has_not_begun_is_dropped() -> None:
    begun: list[int] = []
    with Workers(1, BatchSize((1,))) as workers:
        results = workers.in_order(lambda n: time.sleep(0.1) or begun.append(n), range(100), ahead=50)
        next(results)
    assert len(begun) < 50  # within five seconds, that is
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photos")]


# --- memory -----------------------------------------------------------------------------------------


def test_threads_together_stay_below_the_limit() -> None:
    memory, taken, most, lock = Memory(100), [0], [0], threading.Lock()

    def decode(n: int) -> None:
        with memory.room_for(n):
            with lock:
                taken[0] += n
                most[0] = max(most[0], taken[0])
            time.sleep(0.001)
            with lock:
                taken[0] -= n

    with Workers(8, BatchSize((1,))) as workers:
        list(workers.in_order(decode, [30, 60, 10, 50, 40, 70] * 10, ahead=60))
    assert 0 < most[0] <= 100


def test_a_photo_that_is_larger_than_the_limit_is_let_through_alone() -> None:
    memory = Memory(100)
    entered = threading.Event()

    def small() -> None:
        with memory.room_for(1):
            entered.set()

    with memory.room_for(1_000_000):
        thread = threading.Thread(target=small)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(PATIENCE)
