"""The file that searches map into memory: what it gives back, and every way it can be damaged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from twobranch.indexer.vectors.mapped_file import Stamp, read_vectors, write_vectors

IDS = np.array([10, 20, 30])
ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)
STAMP = Stamp(bytes(range(16)), after=7)


def write(path: Path, ids: NDArray[np.int64] = IDS, rows: NDArray[np.float32] = ROWS) -> None:
    """In blocks of two."""
    blocks = [(ids[start : start + 2], rows[start : start + 2]) for start in range(0, len(ids), 2)]
    write_vectors(path, STAMP, rows.shape[1], blocks)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    write(tmp_path / "a")
    stored = read_vectors(tmp_path / "a")
    assert stored is not None
    assert stored.stamp == STAMP
    np.testing.assert_array_equal(stored.ids, IDS)
    np.testing.assert_array_equal(stored.rows, ROWS)
    assert stored.rows.flags.aligned and stored.rows.flags.c_contiguous  # fit for BLAS as it lies there
    assert [path.name for path in tmp_path.iterdir()] == ["a"]  # no partial file is left


def test_no_vectors_are_a_file_too(tmp_path: Path) -> None:
    write_vectors(tmp_path / "a", Stamp(bytes(16)), 4, [])
    stored = read_vectors(tmp_path / "a")
    assert stored is not None and stored.rows.shape == (0, 4) and len(stored.ids) == 0


def test_every_flipped_byte_and_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(path)
    good = path.read_bytes()
    unused = range(64, 128)  # between the header and the rows
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x40
        path.write_bytes(bad)
        assert (read_vectors(path) is None) == (position not in unused), position
    for length in range(len(good)):
        path.write_bytes(good[:length])
        assert read_vectors(path) is None


def test_a_copied_file_is_checked_and_is_good(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes())  # with the time of now
    stored = read_vectors(tmp_path / "b")
    assert stored is not None and stored.stamp == STAMP


def test_what_is_no_such_file_is_none(tmp_path: Path) -> None:
    assert read_vectors(tmp_path / "missing") is None
    assert read_vectors(tmp_path) is None
    (tmp_path / "text").write_text("not vectors, but long enough to hold a header of theirs" * 10)
    assert read_vectors(tmp_path / "text") is None


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, IDS[:1], ROWS[:1])
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
