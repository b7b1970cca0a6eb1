from __future__ import annotations

import numpy as np
import pytest

from twobranch.common.errors import LibraryError
from twobranch.indexer.vectors.codec import as_blobs, as_bytes, as_matrix, has_dim, squared_length

ROWS = np.array([[1, 0, 0.5], [0, -2, 0]], dtype=np.float32)


def test_a_vector_is_little_endian_float32() -> None:
    assert as_bytes(np.array([1.0, -2.0])) == b"\x00\x00\x80\x3f\x00\x00\x00\xc0"
    assert as_bytes(ROWS) == b"".join(as_blobs(ROWS))
    assert as_blobs(ROWS.astype(">f4").T.copy().T) == as_blobs(ROWS)  # whatever the order in memory


def test_what_was_written_is_read_again() -> None:
    rows = as_matrix(as_blobs(ROWS), 3)
    assert rows.dtype == np.float32 and np.array_equal(rows, ROWS)
    assert as_matrix([], 3).shape == (0, 3)


@pytest.mark.parametrize("blob", [b"", bytes(8), bytes(16), "twelve chars", None])
def test_blobs_of_another_length(blob: bytes) -> None:
    assert not has_dim(blob, 3)
    with pytest.raises(LibraryError, match="not of dimension 3"):
        as_matrix([bytes(12), blob], 3)


def test_squares_do_not_overflow() -> None:
    assert squared_length(as_bytes(np.array([3.0, 4.0]))) == 25
    assert squared_length(as_bytes(np.array([1e30]))) == pytest.approx(1e60)
