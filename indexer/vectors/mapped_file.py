"""Vectors in a file that searches map into memory: a header, then N x D float32 rows, then N int64 ids.

Rows begin at a multiple of 64 bytes and are little endian, so the mapped file *is* the matrix that is
multiplied. A search reads only the header with its own checksum; the checksum over everything is compared
where the file's time is not the one that it was written with: a file that was damaged by a program, or
copied, has another. ``index`` and ``doctor`` compare it always. It is a cache: what is not whole is None, and
is made again from the catalogue.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.atomic import replacing
from twobranch.indexer.vectors.codec import DTYPE, as_bytes

_MAGIC = b"2brvec\x00\x02"
_FIELDS = struct.Struct("<8sqqq16sIq")  # magic, N, D, ids after, state, crc32 of rows and ids, time
_HEADER = _FIELDS.size + 4  # and the crc32 of these fields
_ROWS_AT = 128
# File systems keep times to 2 seconds (FAT) or finer.
_TIME_STEP = 2_000_000_000
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Stamp:
    """Which vectors a file holds: those of one state of a catalogue (``vector_states``), or its newest."""

    state: bytes  # 16 bytes
    after: int = 0  # only ids above this one


@dataclass(frozen=True)
class StoredVectors:
    """What a file holds; ``rows`` and ``ids`` are mapped."""

    ids: NDArray[np.int64]  # (N,)
    rows: NDArray[np.float32]  # (N, D)
    stamp: Stamp


def write_vectors(
    path: Path, stamp: Stamp, dim: int, blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]
) -> None:
    """Write (n,) ids with their (n, D) rows, block by block, to ``path`` in one step.

    A reader sees the old file or the new one, whole. Memory is one block and the ids. Raises ``OSError``.
    """
    with replacing(path) as partial:
        with partial.open("wb") as file:
            file.write(bytes(_ROWS_AT))
            crc, ids = 0, [np.empty(0, dtype="<i8")]
            for numbers, rows in blocks:
                data = as_bytes(rows)
                crc = zlib.crc32(data, crc)
                file.write(data)
                ids.append(np.asarray(numbers, dtype="<i8"))
            every = np.concatenate(ids)
            crc = zlib.crc32(every.tobytes(), crc)
            file.write(every.tobytes())
            written = time.time_ns() // _TIME_STEP * _TIME_STEP
            fields = _FIELDS.pack(_MAGIC, len(every), dim, stamp.after, stamp.state, crc, written)
            file.seek(0)
            file.write(fields + struct.pack("<I", zlib.crc32(fields)))
        os.utime(partial, ns=(written, written))


def read_vectors(path: Path, *, verify: bool = False) -> StoredVectors | None:
    """The vectors in a file; None when it is missing, damaged or something else.

    ``verify`` compares the checksum over everything whatever the file's time: a disk that loses a bit leaves
    the time alone. That is reading all of it, for which a search should not wait.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
            status = os.fstat(file.fileno())
            if len(header) < _HEADER or zlib.crc32(header[:-4]) != struct.unpack("<I", header[-4:])[0]:
                return None
            magic, n, dim, after, state, crc, written = _FIELDS.unpack(header[:-4])
            if magic != _MAGIC or status.st_size != _ROWS_AT + n * (4 * dim + 8):
                return None
            if verify or status.st_mtime_ns != written:
                file.seek(_ROWS_AT)
                found = 0
                while block := file.read(_CHUNK):
                    found = zlib.crc32(block, found)
                if found != crc:
                    return None
            if n == 0:  # which cannot be mapped
                return StoredVectors(
                    np.empty(0, np.int64), np.empty((0, dim), np.float32), Stamp(state, after)
                )
            mapped = np.memmap(file, dtype=np.uint8, mode="r")
    except (OSError, ValueError):
        return None
    ids_at = _ROWS_AT + 4 * n * dim
    rows = mapped[_ROWS_AT:ids_at].view(DTYPE).reshape(n, dim)
    return StoredVectors(np.asarray(mapped[ids_at:].view("<i8")), np.asarray(rows), Stamp(state, after))
