"""The storage format of vectors: little-endian float32, row after row.

The catalogue and the index files use it alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError

DTYPE = "<f4"
_BYTES = 4  # per number


def as_bytes(vectors: NDArray[np.float32]) -> bytes:
    """Return the bytes of a (D,) vector or of (n, D) vectors."""
    return np.ascontiguousarray(vectors, dtype=DTYPE).tobytes()


def as_blobs(vectors: NDArray[np.float32]) -> list[bytes]:
    """Return a list of n blobs for (n, D) vectors. Each has 4 * D bytes."""
    return [row.tobytes() for row in np.ascontiguousarray(vectors, dtype=DTYPE)]


def as_matrix(blobs: Sequence[bytes], dim: int) -> NDArray[np.float32]:
    """Return n blobs as an (n, dim) float32 matrix. Raises ``LibraryError`` for a blob of another length."""
    if not all(has_dim(blob, dim) for blob in blobs):
        raise LibraryError(f"the catalogue holds vectors that are not of dimension {dim}: it is damaged")
    return np.frombuffer(b"".join(blobs), dtype=DTYPE).reshape(-1, dim)


def has_dim(blob: object, dim: int) -> bool:
    """Return True for the bytes of a (dim,) vector.

    The type is checked as well, since SQLite accepts values of any type in a column.
    """
    return isinstance(blob, bytes) and len(blob) == _BYTES * dim


def squared_length(blob: bytes) -> float:
    """Return the squared length of a stored vector. The sum is in float64, where no square overflows."""
    row = np.frombuffer(blob, dtype=DTYPE).astype(np.float64)
    return float(np.dot(row, row))
