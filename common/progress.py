"""Progress reports: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

LINE_EVERY = 10.0  # seconds between plain lines


class Progress(Protocol):
    """Progress of one task at a time: ``start``, ``advance`` …, ``finish``."""

    def start(self, label: str, total: int | None) -> None:
        """Begin a task of ``total`` items. None if the total is unknown."""

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more items as done."""

    def finish(self) -> None:
        """End the task."""

    def note(self, message: str) -> None:
        """Print an informative line."""

    def warn(self, message: str) -> None:
        """Print a warning that the user should act on."""


@contextmanager
def showing(progress: Progress, label: str, total: int | None) -> Iterator[None]:
    """Show a task for as long as the block lasts."""
    progress.start(label, total)
    try:
        yield
    finally:
        progress.finish()


class Silent:
    """Progress that prints nothing."""

    def start(self, label: str, total: int | None) -> None:
        pass

    def advance(self, n: int = 1) -> None:
        pass

    def finish(self) -> None:
        pass

    def note(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass


SILENT: Progress = Silent()


# The control characters of ASCII and Latin-1. In a file name they could break a line or upset the terminal.
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "?")


def one_line(text: str) -> str:
    """Return the text as one line that is safe on a terminal.

    Control characters become "?": a file name may hold line breaks and escape codes.
    """
    return text.translate(_CONTROLS)


class Console:
    """Progress on stderr. ``quiet`` leaves only the warnings."""

    def __init__(self, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar: Any = None  # a rich.progress.Progress while work is shown on a terminal
        self._label, self._total, self._done = "", 0, 0
        self._started = self._shown = 0.0

    def start(self, label: str, total: int | None) -> None:
        self._label, self._total, self._done = label, total or 0, 0
        self._started = self._shown = time.monotonic()
        if not self._quiet and self._stream.isatty():
            self._bar = _rich_bar(self._stream)
            self._bar.start()
            self._bar.add_task(label, total=total)

    def advance(self, n: int = 1) -> None:
        self._done += n
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], n)
        elif not self._quiet and time.monotonic() - self._shown >= LINE_EVERY:
            self._shown = time.monotonic()
            self._print(self._plain_line())

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def note(self, message: str) -> None:
        if not self._quiet:
            self._print(message)

    def warn(self, message: str) -> None:
        self._print(f"warning: {message}")

    def _print(self, message: str) -> None:
        message = one_line(message)
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False, soft_wrap=True)
        else:
            print(message, file=self._stream, flush=True)

    def _plain_line(self) -> str:
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        line = f"{self._label}: {self._done:,}"
        if self._total:
            left = (self._total - self._done) / max(rate, 1e-9)
            line += f" of {self._total:,}, {rate:.1f}/s, {left:.0f} s left"
        return line


def _rich_bar(stream: TextIO) -> Any:
    from rich.console import Console as RichConsole
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as RichProgress,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items per second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f}/s" if speed else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    return RichProgress(*columns, console=RichConsole(file=stream), transient=True)
