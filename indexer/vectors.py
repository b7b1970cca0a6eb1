"""FAISS indexes over the vectors of the catalogue, kept in files that are only a cache of it.

Nothing else imports faiss. The ids are those of ``image_vectors`` and ``caption_vectors``: never given out
twice, and a replaced vector has a new one.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import faiss
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from indexer.catalog import CaptionVector, Catalog, ImageVector

Kind = Literal["images", "captions"]
_TABLES: dict[Kind, type[ImageVector] | type[CaptionVector]] = {
    "images": ImageVector,
    "captions": CaptionVector,
}
# 10,000 vectors of 512 dimensions are 20 MB: memory for one block, and few statements.
_BLOCK = 10_000
# How many of the newest vectors must agree before two states are taken for one history.
_NEWEST = 64
_MAGIC = b"2branch\x01"
_FOOTER = struct.Struct("<qq32sI8s")  # count, newest id, digest, crc32 of all before it, magic
_CHUNK = 1 << 20
_STALE = 3600  # seconds; no save takes that long


@dataclass(frozen=True)
class Stamp:
    """Which set of vectors an index holds.

    Ids only grow, so within one history of a catalogue the count and the newest id name the set; a
    catalogue that was restored from a backup starts another history, which the digest tells apart.
    """

    count: int
    newest: int  # id; 0 when empty
    digest: bytes  # sha256 over the newest vectors


class VectorIndex:
    """Exact inner-product search over vectors with ids: ``IndexIDMap2`` over ``IndexFlatIP``."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def empty(cls, dim: int) -> VectorIndex:
        """An index without vectors."""
        return cls(faiss.IndexIDMap2(faiss.IndexFlatIP(dim)))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """The dimension D of the vectors."""
        return int(self._index.d)

    @property
    def ids(self) -> NDArray[np.int64]:
        """(N,) int64, in the order in which they were added."""
        return np.asarray(faiss.vector_to_array(self._index.id_map), dtype=np.int64)

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Adds (n, D) vectors under (n,) ids that are not in the index yet."""
        rows = np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1, self.dim)
        numbers = np.ascontiguousarray(ids, dtype=np.int64)
        if len(numbers) != len(rows):
            raise ValueError(f"{len(numbers)} ids for {len(rows)} vectors")
        if len(rows):
            self._index.add_with_ids(rows, numbers)

    def remove(self, ids: ArrayLike) -> None:
        """Removes the vectors with these ids; ids that are not there are passed over."""
        self._index.remove_ids(np.ascontiguousarray(ids, dtype=np.int64))

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]:
        """(n, D) float32: the vectors with these ids, in their order. Raises ``KeyError``."""
        numbers = np.ascontiguousarray(ids, dtype=np.int64)
        try:
            return np.asarray(self._index.reconstruct_batch(numbers), dtype=np.float32)
        except RuntimeError:
            raise KeyError(f"not all of these ids are in the index: {numbers}") from None

    def search(
        self, queries: ArrayLike, k: int, among: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k best of the gallery for (Q, D) queries: (Q, k') float32 scores, best first, and int64 ids.

        k' = min(k, gallery); ``among`` restricts the gallery to these ids. Of equal scores the older
        vector comes first. Raises ``ValueError`` for queries of another dimension.
        """
        rows = np.ascontiguousarray(queries, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise ValueError(f"queries of shape {rows.shape} for an index of dimension {self.dim}")
        size, parameters = len(self), None
        if among is not None:
            allowed = np.intersect1d(np.asarray(among, dtype=np.int64), self.ids)
            size, parameters = len(allowed), faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
        k = min(k, size)
        if k < 1 or not len(rows):
            return np.empty((len(rows), max(k, 0)), np.float32), np.empty((len(rows), max(k, 0)), np.int64)
        scores, ids = self._index.search(rows, k, params=parameters)
        order = np.lexsort((ids, -scores), axis=1)
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)

    def save(self, path: Path, stamp: Stamp) -> None:
        """Writes the index to ``path`` in one step: a reader sees the old file or the new one, whole."""
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                crc = 0

                def write(data: bytes) -> int:
                    nonlocal crc
                    crc = zlib.crc32(data, crc)
                    return file.write(data)

                faiss.write_index(self._index, faiss.PyCallbackIOWriter(write, _CHUNK))
                file.write(_FOOTER.pack(stamp.count, stamp.newest, stamp.digest, crc, _MAGIC))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        for other in path.parent.glob(f"{path.name}.*.part"):  # of a process that was killed
            with suppress(OSError):
                if time.time() - other.stat().st_mtime > _STALE:
                    other.unlink()

    @classmethod
    def load(cls, path: Path) -> tuple[VectorIndex, Stamp] | None:
        """The index in a file and its stamp; None when the file is missing, damaged or something else.

        The whole file is checked before FAISS sees it: its reader trusts what it reads.
        """
        try:
            with path.open("rb") as file:
                end = file.seek(0, os.SEEK_END) - _FOOTER.size
                if end < 0:
                    return None
                file.seek(end)
                count, newest, digest, expected, magic = _FOOTER.unpack(file.read())
                file.seek(0)
                if magic != _MAGIC or _crc32(file, end) != expected:
                    return None
                file.seek(0)
                index = faiss.read_index(faiss.PyCallbackIOReader(file.read, _CHUNK))
        except (OSError, RuntimeError):
            return None
        if not isinstance(index, faiss.IndexIDMap2):
            return None
        return cls(index), Stamp(count, newest, digest)


def open_index(catalog: Catalog, folder: Path, kind: Kind, model_id: int, dim: int) -> VectorIndex:
    """The index over all vectors of one kind and model, as the catalogue has them now.

    It comes from its file in ``folder`` where that is current; else what differs is taken from the
    catalogue and the file written anew, if the folder can be written to.
    """
    path = index_file(folder, kind, model_id)
    with catalog.session() as session:
        wanted = _stamp(session, kind, model_id)
        loaded = VectorIndex.load(path)
        if loaded is not None and loaded[0].dim == dim:
            index, stamp = loaded
            if stamp == wanted and len(index) == wanted.count:
                return index
        else:
            index = VectorIndex.empty(dim)
        index = _synchronise(session, index, kind, model_id)
    with suppress(OSError):  # a read-only library is searched from memory
        index.save(path, wanted)
    return index


def index_file(folder: Path, kind: Kind, model_id: int) -> Path:
    """The cache file of one kind and model."""
    return folder / f"{kind}-{model_id}.faiss"


def remove_index_files(folder: Path, model_id: int) -> None:
    """Deletes the cache files of a model that is gone from the catalogue."""
    for kind in _TABLES:
        for file in folder.glob(f"{index_file(folder, kind, model_id).name}*"):
            with suppress(OSError):
                file.unlink()


def _synchronise(session: Session, index: VectorIndex, kind: Kind, model_id: int) -> VectorIndex:
    """The index with what is gone removed and what is new added; an empty one filled."""
    table = _TABLES[kind]
    ids = select(table.id).where(table.model_id == model_id).order_by(table.id)
    wanted = np.fromiter(session.scalars(ids), dtype=np.int64)
    present = index.ids
    common = np.intersect1d(present, wanted)
    newest = int(present.max(initial=0))
    if not _same_history(session, index, kind, common, older=wanted[wanted <= newest]):
        index, newest = VectorIndex.empty(index.dim), 0
    elif len(common) < len(present):
        index.remove(np.setdiff1d(present, common))
    missing = (
        select(table.id, table.vector).where(table.model_id == model_id).order_by(table.id).limit(_BLOCK)
    )
    while block := session.execute(missing.where(table.id > newest)).all():
        index.add([row.id for row in block], _matrix([row.vector for row in block], index.dim))
        newest = block[-1].id
    return index


def _same_history(
    session: Session, index: VectorIndex, kind: Kind, common: NDArray[np.int64], older: NDArray[np.int64]
) -> bool:
    """Whether the index was made from an earlier state of this catalogue, and not of a restored one."""
    if len(common) < len(older):  # the catalogue never adds below the newest id
        return False
    table = _TABLES[kind]
    newest = common[-_NEWEST:]
    rows = select(table.vector).where(table.id.in_(newest.tolist())).order_by(table.id)
    return np.array_equal(index.vectors(newest), _matrix(session.scalars(rows).all(), index.dim))


def _stamp(session: Session, kind: Kind, model_id: int) -> Stamp:
    """The stamp of what the catalogue holds now; the count is read from an index, not from the rows."""
    table = _TABLES[kind]
    count = session.scalar(select(func.count()).where(table.model_id == model_id)) or 0
    newest = select(table.id, table.vector).where(table.model_id == model_id).order_by(table.id.desc())
    rows = session.execute(newest.limit(_NEWEST)).all()
    digest = hashlib.sha256()
    for row in rows:
        digest.update(struct.pack("<q", row.id) + row.vector)
    return Stamp(count, rows[0].id if rows else 0, digest.digest())


def _matrix(vectors: Sequence[bytes], dim: int) -> NDArray[np.float32]:
    """(n, dim) float32 from the catalogue's little-endian bytes."""
    return np.frombuffer(b"".join(vectors), dtype="<f4").reshape(-1, dim)


def _crc32(file: BinaryIO, length: int) -> int:
    crc = 0
    while length and (block := file.read(min(length, _CHUNK))):
        crc = zlib.crc32(block, crc)
        length -= len(block)
    return crc
