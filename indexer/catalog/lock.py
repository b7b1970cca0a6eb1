"""The lock of a library: one process changes it at a time."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from twobranch.common.atomic import replacing
from twobranch.common.errors import LibraryBusyError, LibraryError
from twobranch.indexer.catalog.connection import library_error

LOCK = "index.lock"
_HOLDER = "index.lock.json"
# `watch`, `forget` and `relocate` hold the lock for a second or two at a time, and other commands wait. An
# `index` may take hours, and is not waited for.
PATIENCE = 10.0  # seconds
_POLL = 0.1


@dataclass(frozen=True)
class Holder:
    """The process that holds a library."""

    work: str  # the command
    pid: int
    host: str
    since: float  # seconds since 1970

    def __str__(self) -> str:
        at = time.localtime(self.since)
        today = at[:3] == time.localtime()[:3]
        since = time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", at)
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"another `{self.work}` is at work on it (process {self.pid}{where}, since {since})"


@contextmanager
def indexing_lock(
    library: Path,
    work: str = "index",
    note: Callable[[str], None] = lambda message: None,
    *,
    wait: bool = True,
) -> Iterator[None]:
    """Hold the library for one process that changes it.

    While another process holds it, this one waits some seconds (with ``wait``) and tells ``note`` so. Then it
    raises ``LibraryBusyError``, which names the other process. The lock is a transaction on a small SQLite
    file. It works on every platform, and the operating system releases it however the process ends, so that a
    dead one never blocks. The holder is written into a file beside it, which is only read while the lock is
    taken.
    """
    connection = _try(library)
    if connection is None and wait:
        note(f"{_who(library)}; waiting for up to {PATIENCE:.0f} seconds")
        latest = time.monotonic() + PATIENCE
        while connection is None:
            if time.monotonic() > latest:
                break
            time.sleep(_POLL)
            connection = _try(library)
    if connection is None:
        raise LibraryBusyError(f"{library}: {_who(library)}; try again when it has finished")
    holder = library / _HOLDER
    with closing(connection):
        with suppress(OSError):  # a full disk: then no holder is named, and no wrong one either
            holder.unlink(missing_ok=True)
            facts = Holder(work, os.getpid(), socket.gethostname(), time.time())
            with replacing(holder, durable=False) as partial:
                partial.write_text(json.dumps(asdict(facts)), encoding="utf-8")
        try:
            yield
        finally:
            with suppress(OSError):
                holder.unlink(missing_ok=True)


def _try(library: Path) -> sqlite3.Connection | None:
    """Return the connection that holds the lock.

    None while another process holds it. Raises ``LibraryError``.
    """
    path, connection = library / LOCK, None
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        if "locked" in str(error):
            return None
        if "not a database" in str(error):
            raise LibraryError(f"{path}: damaged; `doctor --repair` makes it anew") from None
        raise library_error(path, error) from None
    return connection


def _who(library: Path) -> str:
    try:
        holder = Holder(**json.loads((library / _HOLDER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return "another command is at work on it"
    return str(holder)
