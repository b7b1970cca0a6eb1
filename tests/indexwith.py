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
    """Takes 20 ms for a photo."""

    def encode_views(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(0.02 * len(pixels))
        return super().encode_views(pixels)


def fake(library: Path) -> FakeEncoder:
    return FakeEncoder()


def slow(library: Path) -> FakeEncoder:
    return Slow()


def none(library: Path) -> FakeEncoder:
    raise ModelError("the model is gone; put it back")


def defect(library: Path) -> FakeEncoder:
    raise AssertionError("a defect, for a test")


def killed(library: Path) -> FakeEncoder:
    os.kill(os.getpid(), signal.SIGKILL)  # as a machine does that runs out of memory
    raise AssertionError
