"""Models with cells, and the cells of other photos that theirs are compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.fakes import FakeEncoder
from twobranch.retrieval.confidence import Bank
from twobranch.retrieval.where.background import save_background


def grey_background(encoder: FakeEncoder, folder: Path) -> None:
    """Give the encoder a folder in which the cells of other photos are grey.

    "red" scores 1/sqrt(3) = 0.577 with each, more or less.
    """
    encoder.folder = folder
    folder.mkdir(exist_ok=True)
    greys = np.array([[1, 1, 1, 0], [1.1, 1, 1, 0], [0.9, 1, 1, 0]], dtype=np.float32)
    save_background(folder, Bank.of(greys / np.linalg.norm(greys, axis=1, keepdims=True)))
