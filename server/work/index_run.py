"""Indexing runs of the server, each in its own process.

There is one run at a time.
"""

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

from twobranch.common.errors import LibraryBusyError, LibraryError
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.server.work.index_child import DONE, FAILED, STOPPED, run_index

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from twobranch.indexer.update.run import AnyEncoder

_PATIENCE = 10.0  # seconds to finish a write before the process is killed
_MOST_NOTES = 100


@dataclass
class IndexRun:
    """The state of a run. The defaults mean that there was none yet."""

    running: bool = False
    stopping: bool = False
    stopped: bool = False  # it was stopped before its end
    started_at: str | None = None  # ISO 8601, UTC
    ended_at: str | None = None
    label: str | None = None  # of the current step: "photos", "captions"…
    done: int = 0
    total: int | None = None  # None: unknown
    since: float = 0.0  # start of that step, by the monotonic clock
    notes: list[str] = field(default_factory=list)
    report: dict[str, Any] | None = None  # as `index --json`
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the answer of ``GET /api/index``."""
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
    """Starts and stops the runs of one library. Thread-safe."""

    def __init__(self, library: Path, load: Callable[[Path], AnyEncoder]) -> None:
        """Take the library and the function that loads its encoder.

        The other process imports ``load`` by name, so it must be a module-level function.
        """
        self._library = library
        self._load = load
        self._lock = Lock()  # guards the attributes below
        self._run = IndexRun()
        self._process: SpawnProcess | None = None
        self._orders: Connection | None = None
        self._listener: Thread | None = None
        self._queue: tuple[Path, ...] = ()  # folders of the next run

    def as_json(self) -> dict[str, Any]:
        """Return the state of the current run, else the last one."""
        with self._lock:
            return self._run.as_json()

    def start(self, paths: Sequence[Path]) -> None:
        """Start to index these folders, or without any the library's own folders.

        Raises ``LibraryBusyError`` if the library is being indexed already, ``LibraryError`` if it cannot be
        written.
        """
        with self._lock:
            if self._run.running:
                raise LibraryBusyError(
                    "an indexing run is under way, started from the page; stop it, or wait for its end"
                )
            self._start(paths)

    def start_or_queue(self, folder: Path) -> None:
        """Start to index a folder now, or after the current run.

        Raises as ``start``, unless it is queued.
        """
        with self._lock:
            if self._run.running:
                self._queue = tuple(dict.fromkeys((*self._queue, folder)))
            else:
                self._start((folder,))

    def _start(self, paths: Sequence[Path]) -> None:
        """Start a process for these folders. Raises as ``start``."""
        with indexing_lock(self._library, wait=False):  # to refuse at once; the run takes the lock itself
            pass
        # Not a fork: it would copy locks that the server's threads hold, without the threads.
        context = get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        orders, self._orders = context.Pipe(duplex=False)
        self._process = context.Process(
            target=run_index, args=(sender, orders, self._library, paths, self._load), daemon=True
        )
        with _no_ctrl_c():
            self._process.start()
        sender.close()  # so that `receiver` ends with the process
        orders.close()
        self._run = IndexRun(running=True, started_at=_now())
        self._listener = Thread(target=self._listen, args=(receiver, self._process), daemon=True)
        self._listener.start()

    def stop(self) -> None:
        """Ask the run, if any, to stop. Finished work is kept, and what is queued comes next."""
        with self._lock:
            if self._run.running and not self._run.stopping:
                self._run.stopping = True
                assert self._orders is not None
                self._orders.close()

    def close(self) -> None:
        """Stop the run, if any, and wait for its end. What is queued is dropped."""
        with self._lock:
            self._queue = ()
        self.stop()
        if self._process is None or self._listener is None:
            return
        self._listener.join(_PATIENCE)
        if self._listener.is_alive():
            self._process.kill()  # SQLite rolls back an unfinished write
            self._listener.join()

    def _listen(self, receiver: Connection, process: SpawnProcess) -> None:
        """Receive the messages of the process until it ends."""
        has_result = False
        while True:
            try:
                kind, *details = receiver.recv()
            except (EOFError, OSError):
                break
            with self._lock:
                has_result |= self._handle(kind, details)
        process.join()
        receiver.close()
        with self._lock:
            run = self._run
            if not has_result:
                run.error = (
                    f"indexing ended unexpectedly ({_ending(process.exitcode)}); "
                    "finished work is kept, start it again to continue"
                )
            run.running = run.stopping = False
            run.label, run.ended_at = None, _now()
            self._start_queued()

    def _start_queued(self) -> None:
        """Start the run of the queued folders, if there are any."""
        folders, self._queue = self._queue, ()
        if not folders:
            return
        try:
            self._start(folders)
        except (LibraryError, OSError) as error:
            self._run.error = f"{error}; not indexed: {', '.join(map(str, folders))}"

    def _handle(self, kind: str, details: Sequence[Any]) -> bool:
        """Apply a message; return True if it was the last."""
        run = self._run
        if kind == "start":
            run.label, run.total = details
            run.done, run.since = 0, time.monotonic()
        elif kind == "advance":
            run.done += details[0]
        elif kind == "finish":
            run.label = None
        elif kind in ("note", "warn"):
            run.notes = [*run.notes, *details][-_MOST_NOTES:]
        elif kind == DONE:
            run.report = details[0]
        elif kind == STOPPED:
            run.stopped = True
        elif kind == FAILED:
            run.error = details[0]
        return kind in (DONE, STOPPED, FAILED)


@contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Block Ctrl-C for processes that are started in the block.

    The server stops them instead. Ctrl-C while Python is still starting would end the process with a long
    traceback on the terminal. Windows has no signal masks; there the process ignores it once it runs.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # if it started with the process, it would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _now() -> str:
    """Return the time in ISO 8601, UTC, to the millisecond.

    The page identifies runs by their start time.
    """
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _ending(code: int | None) -> str:
    return f"by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
