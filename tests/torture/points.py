"""The places at which a run changes what is on disk, so that a test can end it, or fail it, at each."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any

# Statements that write outside a transaction, or end one.
_WRITES = ("COMMIT", "VACUUM", "PRAGMA JOURNAL_MODE", "PRAGMA WAL_CHECKPOINT")


class Points:
    """Counts the places that a run comes to; at number ``at``, from 1, it does ``act``."""

    def __init__(self, at: int | None, act: Callable[[], None]) -> None:
        self.count = 0
        self._at = at
        self._act = act

    @contextmanager
    def around(self) -> Iterator[None]:
        """Right before and right after what the block does are a place each."""
        self._reach()
        yield
        self._reach()

    def _reach(self) -> None:
        self.count += 1
        if self.count == self._at:
            self._act()


def die() -> None:
    """Ends the process as SIGKILL does: nothing is cleaned up, nothing flushed."""
    os._exit(137)


def fail_full() -> None:
    """What Python gets to see of a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def watch_writes(points: Points, sqlite: bool = True) -> None:
    """From now on this process goes through ``points`` around every COMMIT of SQLite, and around every file
    that is replaced, deleted or synchronised."""

    class Connection(sqlite3.Connection):
        def commit(self) -> None:
            if not self.in_transaction:
                return
            with points.around():
                super().commit()

        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:  # type: ignore[override]
            if not statement.upper().startswith(_WRITES):
                return super().execute(statement, *arguments)
            with points.around():
                return super().execute(statement, *arguments)

    if sqlite:
        sqlite3.connect = partial(sqlite3.connect, factory=Connection)  # type: ignore[assignment]
    for owner, name in ((Path, "replace"), (Path, "unlink"), (Path, "touch"), (Path, "mkdir"), (os, "fsync")):
        setattr(owner, name, _around(points, getattr(owner, name)))


def _around(points: Points, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with points.around():
            return function(*arguments, **named)

    return call
