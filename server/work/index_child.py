"""The child process that runs ``index`` for the server.

It reports progress and result through a pipe.
"""

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

# A message is the name of a method of `PipedProgress` with its arguments, or, as the last one, one of these.
DONE, STOPPED, FAILED = "done", "stopped", "failed"

_NICENESS = 10  # searches of the server come first; on an idle machine it costs no speed
_SEND_EVERY = 0.1  # seconds between two progress messages


def run_index(
    messages: Connection,
    orders: Connection,
    library: Path,
    paths: Sequence[Path],
    load: Callable[[Path], AnyEncoder],
) -> None:
    """Index as ``index PATHS`` does, at a lower priority.

    Sends progress and then the result to ``messages``. When the other end of ``orders`` closes, because the
    server closed it or has died, the run stops as by Ctrl-C: finished work is kept.
    """
    signal.signal(signal.SIGINT, _interrupt_once)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        Thread(target=_stop_when_closed, args=(orders,), daemon=True).start()
        last: tuple[Any, ...] = (DONE, _index(PipedProgress(messages), library, paths, load))
    except KeyboardInterrupt:
        last = (STOPPED,)
    except UserError as error:
        last = (FAILED, str(error))
    except OSError as error:  # a full disk, a folder that may not be written
        last = (FAILED, f"{error.filename or library}: {error.strerror or error}")
    except Exception:
        from twobranch.indexer.maintenance.doctor import catalogue_damage

        damage = catalogue_damage(library)  # perhaps the cause
        if damage is None:
            traceback.print_exc()
        last = (FAILED, damage or "internal error; the server's log has the details")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # too late to stop
    with suppress(OSError):  # the server may be gone
        messages.send(last)


def _index(
    progress: PipedProgress, library: Path, paths: Sequence[Path], load: Callable[[Path], AnyEncoder]
) -> dict[str, Any]:
    from twobranch.indexer.catalog.known_libraries import remember_library
    from twobranch.indexer.update.library import update_library
    from twobranch.indexer.update.models import library_fingerprint
    from twobranch.retrieval.background_file import refresh_confidence

    chosen_for = library_fingerprint(library)
    encoder = load(library)
    try:
        report = update_library(library, paths, encoder, chosen_for=chosen_for, progress=progress)
        refresh_confidence(library, encoder, progress)
        return report.as_json()
    finally:
        remember_library(library)


def library_encoder(library: Path) -> AnyEncoder:
    """Return the encoder that ``index`` uses without options.

    Raises ``ModelError`` and ``LibraryError``.
    """
    from twobranch.indexer.update.models import encoder_for

    return encoder_for(library)


class PipedProgress:
    """Progress that is sent to another process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._unsent, self._sent_at = 0, 0.0

    def start(self, label: str, total: int | None) -> None:
        self._pipe.send(("start", label, total))

    def advance(self, n: int = 1) -> None:
        self._unsent += n
        if time.monotonic() - self._sent_at >= _SEND_EVERY:
            self._send_advance()

    def finish(self) -> None:
        self._send_advance()
        self._pipe.send(("finish",))

    def note(self, message: str) -> None:
        self._pipe.send(("note", message))

    def warn(self, message: str) -> None:
        self._pipe.send(("warn", message))

    def _send_advance(self) -> None:
        if self._unsent:
            self._pipe.send(("advance", self._unsent))
            self._unsent, self._sent_at = 0, time.monotonic()


def _stop_when_closed(orders: Connection) -> None:
    with suppress(EOFError):
        orders.recv()
    _thread.interrupt_main()


def _interrupt_once(*_: Any) -> None:
    # Ctrl-C in a terminal reaches this process and the server, which then stops it too. A second interrupt
    # would break into the clean-up after the first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
