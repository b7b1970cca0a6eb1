"""Indexing beside the server: one run at a time, in a process of its own, and what is known of it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from twobranch.common.errors import LibraryBusyError
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.server.work.index_child import DONE, FAILED, STOPPED, index_and_tell

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from twobranch.indexer.update.run import AnyEncoder

_PATIENCE = 10.0  # seconds that a run gets to finish what it is writing
_MOST_NOTES = 100


@dataclass
class IndexRun:
    """A run, or that there was none yet."""

    running: bool = False
    stopping: bool = False
    stopped: bool = False  # it was asked to end before it was done
    started_at: str | None = None  # ISO 8601, UTC
    ended_at: str | None = None
    label: str | None = None  # of the work under way: "photos", "captions"…
    done: int = 0
    total: int | None = None  # None: nobody knows how many
    since: float = 0.0  # by the monotonic clock, when that work began
    notes: list[str] = field(default_factory=list)
    report: dict[str, Any] | None = None  # as `index --json`
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What ``GET /api/index`` says of it."""
        seconds = time.monotonic() - self.since
        return {
            "running": self.running,
            "stopping": self.stopping,
            "stopped": self.stopped,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "label": self.label,
            "done": self.done,
            "total": self.total,
            "per_second": round(self.done / seconds, 1) if self.label and self.done else None,
            "notes": list(self.notes),
            "report": self.report,
            "error": self.error,
            "failed": [] if self.report is None else self.report["failed"],
        }


class Indexing:
    """The runs of one library. Threads may share it."""

    def __init__(self, library: Path, load: Callable[[Path], AnyEncoder]) -> None:
        """``load`` gives the encoder in the other process, by its name: a function of a module."""
        self._library = library
        self._load = load
        self._lock = Lock()  # over all that follows
        self._run = IndexRun()
        self._process: SpawnProcess | None = None
        self._orders: Connection | None = None
        self._listener: Thread | None = None

    def as_json(self) -> dict[str, Any]:
        """How it stands with the run under way, else with the last one."""
        with self._lock:
            return self._run.as_json()

    def start(self, paths: Sequence[Path]) -> None:
        """Starts to index these folders, or what the library knows when there are none.

        Raises ``LibraryBusyError`` when somebody is at it, ``LibraryError`` for a library that cannot be
        written.
        """
        with self._lock:
            if self._run.running:
                raise LibraryBusyError(
                    "indexing is under way already, started from the page; stop it, or wait for its end"
                )
            with indexing_lock(self._library, wait=False):  # for an answer at once; the run takes it again
                pass
            # Not a fork: the server's threads would be missing in the middle of what they do.
            context = get_context("spawn")
            told, tell = context.Pipe(duplex=False)
            orders, self._orders = context.Pipe(duplex=False)
            self._process = context.Process(
                target=index_and_tell, args=(tell, orders, self._library, paths, self._load), daemon=True
            )
            with _no_ctrl_c():
                self._process.start()
            tell.close()  # so that `told` ends with the process
            orders.close()
            self._run = IndexRun(running=True, started_at=_now())
            self._listener = Thread(target=self._listen, args=(told, self._process), daemon=True)
            self._listener.start()

    def stop(self) -> None:
        """Asks the run to end, if there is one; all that it has finished is kept."""
        with self._lock:
            if self._run.running and not self._run.stopping:
                self._run.stopping = True
                assert self._orders is not None
                self._orders.close()

    def close(self) -> None:
        """Ends the run, if there is one, and waits for that."""
        self.stop()
        if self._process is None or self._listener is None:
            return
        self._listener.join(_PATIENCE)
        if self._listener.is_alive():
            self._process.kill()  # SQLite takes back what was half written
            self._listener.join()

    def _listen(self, told: Connection, process: SpawnProcess) -> None:
        """Hears what the process tells until it ends."""
        heard_the_end = False
        while True:
            try:
                what, *details = told.recv()
            except (EOFError, OSError):
                break
            with self._lock:
                heard_the_end |= self._take(what, details)
        process.join()
        told.close()
        with self._lock:
            run = self._run
            if not heard_the_end:
                run.error = (
                    f"indexing ended unexpectedly ({_ending(process.exitcode)}); "
                    "what it had finished is kept, start it again to go on"
                )
            run.running = run.stopping = False
            run.label, run.ended_at = None, _now()

    def _take(self, what: str, details: Sequence[Any]) -> bool:
        """Whether these were the last words."""
        run = self._run
        if what == "start":
            run.label, run.total = details
            run.done, run.since = 0, time.monotonic()
        elif what == "advance":
            run.done += details[0]
        elif what == "finish":
            run.label = None
        elif what in ("note", "warn"):
            run.notes = [*run.notes, *details][-_MOST_NOTES:]
        elif what == DONE:
            run.report = details[0]
        elif what == STOPPED:
            run.stopped = True
        elif what == FAILED:
            run.error = details[0]
        return what in (DONE, STOPPED, FAILED)


@contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """A process that is started in the block does not hear Ctrl-C in the terminal: the server stops it.

    It would die of it while Python is still starting, with a page of its errors on the terminal. (Windows has
    no such masks; there the process copes by itself from the moment it runs.)
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it with the process would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _now() -> str:
    """To the millisecond: a page tells runs apart by when they began."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _ending(code: int | None) -> str:
    return f"by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
