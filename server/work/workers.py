"""Threads that each own what they work with: an open catalogue belongs to one thread."""

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
    """``n`` threads, each with what ``open`` gave it when it was first asked for something."""

    def __init__(self, n: int, open: Callable[[], Tool], name: str) -> None:
        self._open = open
        self._threads = ThreadPoolExecutor(n, thread_name_prefix=name)
        self._own = local()
        self._opened: list[Tool] = []
        self._opening = Lock()

    async def run(self, work: Callable[[Tool], Result]) -> Result:
        """What ``work`` gives in one of the threads; raises what it raises, and what opening does."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._do, work)

    def _do(self, work: Callable[[Tool], Result]) -> Result:
        if not hasattr(self._own, "tool"):
            tool = self._open()
            self._own.tool = tool
            with self._opening:
                self._opened.append(tool)
        return work(self._own.tool)

    def close(self) -> None:
        """Waits for what is being worked on, and closes everything."""
        self._threads.shutdown()
        for tool in self._opened:
            tool.close()
