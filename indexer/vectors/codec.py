"""Vectors as the catalogue and the index files store them: little-endian float32, row after row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError

DTYPE = "<f4"
_BYTES = 4  # a number


def as_bytes(vectors: NDArray[np.float32]) -> bytes:
    """The bytes of one (D,) vector, or of (n, D) vectors in one piece."""
    return np.ascontiguousarray(vectors, dtype=DTYPE).tobytes()


def as_blobs(vectors: NDArray[np.float32]) -> list[bytes]:
    """The n blobs of (n, D) vectors, of 4 * D bytes each."""
    return [row.tobytes() for row in np.ascontiguousarray(vectors, dtype=DTYPE)]


def as_matrix(blobs: Sequence[bytes], dim: int) -> NDArray[np.float32]:
    """The (n, dim) float32 rows of n blobs. Raises ``LibraryError`` for one of another length."""
    if not all(has_dim(blob, dim) for blob in blobs):
        raise LibraryError(f"the catalogue holds vectors that are not of dimension {dim}: it is damaged")
    return np.frombuffer(b"".join(blobs), dtype=DTYPE).reshape(-1, dim)


def has_dim(blob: object, dim: int) -> bool:
    """True for the bytes of a (dim,) vector; SQLite holds anything in a column."""
    return isinstance(blob, bytes) and len(blob) == _BYTES * dim


def squared_length(blob: bytes) -> float:
    """The sum of the squares of a vector's numbers, in float64, where no square overflows."""
    row = np.frombuffer(blob, dtype=DTYPE).astype(np.float64)
    return float(np.dot(row, row))
