"""Encoders for a process that indexes beside a server: functions that it finds by their names."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding.errors import ModelError
from tests.fakes import FakeEncoder


class Slow(FakeEncoder):
    """Takes a quarter of a second for a photo after the first 40, until there is a file."""

    def __init__(self, until: Path) -> None:
        super().__init__()
        self._until = until

    def encode_views(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.encoded_images >= 40 and not self._until.exists():
            time.sleep(0.25 * len(pixels))
        return super().encode_views(pixels)


def fake(library: Path) -> FakeEncoder:
    return FakeEncoder()


def slow(library: Path) -> FakeEncoder:
    """Hurries once there is ``go`` beside the library; of 100 photos it has committed 32 till then."""
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
