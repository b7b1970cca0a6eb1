"""What the process does in which the page's indexing runs: all that it tells goes through a pipe."""

from __future__ import annotations

import _thread
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from twobranch.common.errors import UserError

if TYPE_CHECKING:
    from twobranch.indexer.update.run import AnyEncoder

# What is told: the name of a method of `PipedProgress` and its arguments, or one of these last words.
DONE, STOPPED, FAILED = "done", "stopped", "failed"

_NICENESS = 10  # searches of the server come first; alone, a run is as fast as ever
_TELL_EVERY = 0.1  # seconds between two messages about how far it is


def index_and_tell(
    tell: Connection,
    orders: Connection,
    library: Path,
    paths: Sequence[Path],
    load: Callable[[Path], AnyEncoder],
) -> None:
    """Brings the library up to date as ``index PATHS`` does, at a lower priority.

    The end of ``orders`` stops the run as Ctrl-C would, whether the server closed it or is gone: what is
    finished is kept.
    """
    signal.signal(signal.SIGINT, _interrupt_once)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        Thread(target=_obey, args=(orders,), daemon=True).start()
        last: tuple[Any, ...] = (DONE, _index(PipedProgress(tell), library, paths, load))
    except KeyboardInterrupt:
        last = (STOPPED,)
    except UserError as error:
        last = (FAILED, str(error))
    except OSError as error:  # a full disk, a folder that may not be written
        last = (FAILED, f"{error.filename or library}: {error.strerror or error}")
    except Exception:
        from twobranch.indexer.maintenance.doctor import catalogue_damage

        damage = catalogue_damage(library)  # which may be why
        if damage is None:
            traceback.print_exc()
        last = (FAILED, damage or "this is a defect of the program; the server's log says more")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # too late to stop
    with suppress(OSError):  # the server may be gone
        tell.send(last)


def _index(
    progress: PipedProgress, library: Path, paths: Sequence[Path], load: Callable[[Path], AnyEncoder]
) -> dict[str, Any]:
    from twobranch.indexer.update.library import update_library
    from twobranch.indexer.update.models import library_fingerprint

    chosen_for = library_fingerprint(library)
    return update_library(library, paths, load(library), chosen_for=chosen_for, progress=progress).as_json()


def library_encoder(library: Path) -> AnyEncoder:
    """The encoder that a plain ``index`` would take. Raises ``ModelError`` and ``LibraryError``."""
    from twobranch.indexer.update.models import encoder_for

    return encoder_for(library)


class PipedProgress:
    """Progress that is told to another process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._untold, self._told_at = 0, 0.0

    def start(self, label: str, total: int | None) -> None:
        self._pipe.send(("start", label, total))

    def advance(self, n: int = 1) -> None:
        self._untold += n
        if time.monotonic() - self._told_at >= _TELL_EVERY:
            self._tell_advance()

    def finish(self) -> None:
        self._tell_advance()
        self._pipe.send(("finish",))

    def note(self, message: str) -> None:
        self._pipe.send(("note", message))

    def warn(self, message: str) -> None:
        self._pipe.send(("warn", message))

    def _tell_advance(self) -> None:
        if self._untold:
            self._pipe.send(("advance", self._untold))
            self._untold, self._told_at = 0, time.monotonic()


def _obey(orders: Connection) -> None:
    with suppress(EOFError):
        orders.recv()
    _thread.interrupt_main()


def _interrupt_once(*_: Any) -> None:
    # A second one, as where Ctrl-C reaches this process and the server, would break into what the first ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
