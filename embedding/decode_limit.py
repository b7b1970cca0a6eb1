"""How long the decoding of a photo may take, and that somebody may no longer want it.

A thread that decodes cannot be stopped; but decoders ask for a file's bytes piece by piece, and may then be
told to stop.
"""

from __future__ import annotations

import io
import math
import time

from twobranch.common.errors import ImageError


class GivenUp(Exception):
    """Nobody waits for the photo any more."""


class Patience:
    """What a decoding is given: some seconds, if they are said, and until ``give_up`` is called.

    When they have passed by the clock, as many more of its thread's own time: a busy machine, or one that
    slept, makes no photo a slow one. (Asking for that time takes as long as reading a header, so it is asked
    late.) Belongs to the thread that decodes; any other may give it up. Kinds whose decoders take the whole
    file at once (WebP, TIFF, HEIC, AVIF) notice when they are done.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._clock = math.inf if seconds is None else time.monotonic() + seconds
        self._until: float | None = None  # by the time of the thread
        self._given_up = False

    def give_up(self) -> None:
        """What asks from now on is told so."""
        self._given_up = True

    def check(self) -> None:
        """Raise ``GivenUp``, or ``ImageError`` when it has taken too long."""
        if self._given_up:
            raise GivenUp
        if self._seconds is not None and time.monotonic() > self._clock:
            if self._until is None:
                self._until = time.thread_time() + self._seconds
            elif time.thread_time() > self._until:
                raise ImageError("", f"takes more than {self._seconds:.0f} s to decode")


class PatientBytes(io.BytesIO):
    """A file's bytes for as long as there is patience."""

    def __init__(self, data: bytes, patience: Patience) -> None:
        super().__init__(data)
        self._patience = patience

    def read(self, size: int | None = -1, /) -> bytes:
        self._patience.check()
        return super().read(size)
