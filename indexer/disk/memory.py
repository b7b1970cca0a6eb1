"""A limit on what the photos that are being decoded take together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Memory:
    """Bytes that threads share. One photo that is larger than all of them is let through alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = Condition()

    @contextmanager
    def room_for(self, n: int) -> Iterator[None]:
        """Waits until ``n`` bytes are free, and holds them for as long as the block lasts.

        Never to be nested: two threads would wait for each other.
        """
        n = min(n, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._taken + n <= self._limit)
            self._taken += n
        try:
            yield
        finally:
            with self._changed:
                self._taken -= n
                self._changed.notify_all()
