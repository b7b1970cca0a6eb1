"""A thread pool with one tool per thread.

For example an open catalogue, which belongs to one thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, local
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> None: ...


Tool = TypeVar("Tool", bound=Closable)
Result = TypeVar("Result")


class Workers(Generic[Tool]):
    """``n`` threads, each with its own tool from ``open``.

    A thread opens its tool at its first task.
    """

    def __init__(self, n: int, open: Callable[[], Tool], name: str) -> None:
        self._open = open
        self._threads = ThreadPoolExecutor(n, thread_name_prefix=name)
        self._own = local()
        self._opened: list[Tool] = []
        self._opening = Lock()

    async def run(self, work: Callable[[Tool], Result]) -> Result:
        """Return the result of ``work``, run in one of the threads.

        Raises what ``work`` and ``open`` raise.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._do, work)

    def _do(self, work: Callable[[Tool], Result]) -> Result:
        if not hasattr(self._own, "tool"):
            tool = self._open()
            self._own.tool = tool
            with self._opening:
                self._opened.append(tool)
        return work(self._own.tool)

    def close(self) -> None:
        """Wait for running work, then close all tools."""
        self._threads.shutdown()
        for tool in self._opened:
            tool.close()
