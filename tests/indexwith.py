"""Encoders for a process that indexes beside a server: functions that it finds by their names."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.fakes import FakeEncoder
from tests.waiting import wait_for
from twobranch.common.errors import ModelError


class Slow(FakeEncoder):
    """Waits after the first 40 photos until there is a file, or the run is to end."""

    def __init__(self, until: Path) -> None:
        super().__init__()
        self._until = until

    def encode_views(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.encoded_images >= 40:
            wait_for(lambda: self._until.exists() or _is_stopped())
        return super().encode_views(pixels)


def _is_stopped() -> bool:
    """True if this process was told to end: the thread that waits for that has ended.

    The main thread hears of it only when a photo that it waits for is there.
    """
    return not any("_stop_when_closed" in thread.name for thread in threading.enumerate())


def fake(library: Path) -> FakeEncoder:
    return FakeEncoder()


def slow(library: Path) -> FakeEncoder:
    """Goes on once there is ``go`` beside the library; of 100 photos it has committed 32 till then."""
    return Slow(library.parent / "go")


def none(library: Path) -> FakeEncoder:
    raise ModelError("the model is gone; put it back")


def defect(library: Path) -> FakeEncoder:
    raise AssertionError("a defect, for a test")


def killed(library: Path) -> FakeEncoder:
    return Killed()


class Killed(FakeEncoder):
    """Its process is killed at the first photo, as where memory runs out."""

    def encode_views(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_views(pixels)
