"""A memory limit shared by all photos being decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Memory:
    """A number of bytes that threads share. One photo larger than all of them may run alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = Condition()

    @contextmanager
    def room_for(self, n: int) -> Iterator[None]:
        """Wait for ``n`` free bytes and hold them during the block.

        Must not be nested: two threads would wait for each other.
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
