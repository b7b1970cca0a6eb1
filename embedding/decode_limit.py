"""A time limit on decoding a photo, and its cancellation.

A thread that decodes cannot be stopped. But decoders ask for a file's bytes piece by piece, and each request
can raise an exception.
"""

from __future__ import annotations

import io
import math
import time

from twobranch.common.errors import ImageError


class GivenUp(Exception):
    """Decoding was cancelled."""


class Patience:
    """A time limit in seconds, if any, that can also be cancelled.

    After that many seconds of wall-clock time, the thread gets as many more of its own processor time: on a
    busy machine, or one that slept, a photo is not slow by itself. (Reading the thread's time costs as much
    as reading a header, so it is read late.) An object belongs to the decoding thread; any other thread may
    call ``give_up``. Decoders that read the whole file at once (WebP, TIFF, HEIC, AVIF) notice only when they
    are done.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._clock = math.inf if seconds is None else time.monotonic() + seconds
        self._until: float | None = None  # in the thread's own processor time
        self._given_up = False

    def give_up(self) -> None:
        """Cancel the decoding: every later ``check`` raises ``GivenUp``."""
        self._given_up = True

    def check(self) -> None:
        """Raise ``GivenUp`` if cancelled, or ``ImageError`` past the time limit."""
        if self._given_up:
            raise GivenUp
        if self._seconds is not None and time.monotonic() > self._clock:
            if self._until is None:
                self._until = time.thread_time() + self._seconds
            elif time.thread_time() > self._until:
                raise ImageError("", f"takes more than {self._seconds:.0f} s to decode")


class PatientBytes(io.BytesIO):
    """A file's bytes; each read checks the time limit."""

    def __init__(self, data: bytes, patience: Patience) -> None:
        super().__init__(data)
        self._patience = patience

    def read(self, size: int | None = -1, /) -> bytes:
        self._patience.check()
        return super().read(size)
