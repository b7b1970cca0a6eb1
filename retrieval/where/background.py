"""Cells of background photos, which show what scores cells have by chance.

They are in ``cells.npz`` of a model folder with cells, as a bank of 8-bit rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import ADVICE, CELL_BACKGROUND, first_line
from twobranch.retrieval.confidence import Bank


def save_background(folder: Path, bank: Bank) -> None:
    """Write the bank into a model folder; equal banks give equal bytes."""
    np.savez(folder / CELL_BACKGROUND, rows=bank.rows, scales=bank.scales)


def load_background(folder: Path, dim: int) -> Bank:
    """Read the bank of a model folder. Raises ``ModelError`` for a missing or damaged file."""
    path = folder / CELL_BACKGROUND
    try:
        with np.load(path, allow_pickle=False) as file:
            bank = Bank(file["rows"], file["scales"])
    except Exception as error:  # NumPy and zipfile raise many types for a broken archive
        reason = first_line(error) if path.is_file() else "no such file"
        raise ModelError(f"{path}: damaged ({reason}); {ADVICE}") from None
    if fault := bank.fault(dim):
        raise ModelError(f"{path}: {fault}; {ADVICE}")
    return bank
