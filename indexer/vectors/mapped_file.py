"""The vector file that searches map into memory.

Layout: a header, then N x D float32 rows, then N int64 ids. Rows begin at a multiple of 64 bytes and are
little endian, so the mapped file is used directly as the matrix.

The header has a checksum of its own, which every search compares. The checksum over the whole file is
compared only if the file's modification time differs from the one in the header, as it does after another
program changed or copied the file. ``index`` and ``doctor`` always compare it. The file is a cache: a damaged
one reads as None and is made again from the catalogue.
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
_HEADER = _FIELDS.size + 4  # with the crc32 of the fields
_ROWS_AT = 128
# The coarsest resolution of a file system's times, in ns: 2 seconds (FAT).
_TIME_STEP = 2_000_000_000
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Stamp:
    """The identity of the vectors in a file.

    They are all vectors of one state of a catalogue (``vector_states``), or only its newest.
    """

    state: bytes  # 16 bytes
    after: int = 0  # only ids above this one


@dataclass(frozen=True)
class StoredVectors:
    """The contents of a vector file. ``rows`` and ``ids`` are memory-mapped."""

    ids: NDArray[np.int64]  # (N,)
    rows: NDArray[np.float32]  # (N, D)
    stamp: Stamp


def write_vectors(
    path: Path, stamp: Stamp, dim: int, blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]
) -> None:
    """Write ids and rows to ``path`` in one step.

    Each block has (n,) ids and their (n, D) rows. A reader sees the complete old file or the complete new
    one. It takes the memory of one block and of all ids. Raises ``OSError``.
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
    """Open the vectors in a file.

    The result is None if the file is missing, damaged or of another format. ``verify`` compares the checksum
    over the whole file whatever its modification time, since a bit flipped on the disk does not change the
    time. It reads the whole file, so searches do without.
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
            if n == 0:  # an empty file cannot be mapped
                return StoredVectors(
                    np.empty(0, np.int64), np.empty((0, dim), np.float32), Stamp(state, after)
                )
            mapped = np.memmap(file, dtype=np.uint8, mode="r")
    except (OSError, ValueError):
        return None
    ids_at = _ROWS_AT + 4 * n * dim
    rows = mapped[_ROWS_AT:ids_at].view(DTYPE).reshape(n, dim)
    return StoredVectors(np.asarray(mapped[ids_at:].view("<i8")), np.asarray(rows), Stamp(state, after))
