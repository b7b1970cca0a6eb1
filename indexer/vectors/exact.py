"""Exact vector search over a memory-mapped file.

The file is a cache: the vectors themselves are in the catalogue. The ids are those of ``image_vectors``,
``caption_vectors`` or ``region_vectors``. An id is never used twice, and a replaced vector gets a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twobranch.indexer.catalog.reader import CatalogReader, VectorKind
from twobranch.indexer.vectors.codec import as_matrix
from twobranch.indexer.vectors.mapped_file import Stamp, StoredVectors, read_vectors, write_vectors

# 10,000 vectors of 512 dimensions take 20 MB: little memory for one block, and few SQL statements.
BLOCK = 10_000
# From this number of queries on FAISS is faster, even with the 0.15 s of its import: it finds the best of a
# block of scores while they are in cache. With NumPy a query is one pass over the rows, with BLAS on all
# cores.
_MANY_QUERIES = 20
_FEW = 0.1  # of the rows: below this share the allowed rows are copied before they are scored


@dataclass(frozen=True)
class VectorIndex:
    """Exact inner-product search over vectors with ids."""

    ids: NDArray[np.int64]  # (N,)
    rows: NDArray[np.float32]  # (N, D), possibly memory-mapped

    @classmethod
    def empty(cls, dim: int) -> VectorIndex:
        """An index without vectors."""
        return cls(np.empty(0, dtype=np.int64), np.empty((0, dim), dtype=np.float32))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dim(self) -> int:
        """The dimension D of the vectors."""
        return self.rows.shape[1]

    @cached_property
    def _by_id(self) -> NDArray[np.int64]:
        return np.argsort(self.ids, kind="stable")

    def positions(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return the (n,) row numbers of these ids, in their order. Raises ``KeyError``."""
        numbers = np.asarray(ids, dtype=np.int64)
        # Binary search: `np.isin` takes as long for ten ids as for all of them.
        at = np.searchsorted(self.ids, numbers, sorter=self._by_id)
        positions = self._by_id[at[at < len(self.ids)]]
        if len(positions) < len(numbers) or (self.ids[positions] != numbers).any():
            raise KeyError(f"not all of these ids are in the index: {numbers}")
        return positions

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return the (n, D) float32 vectors with these ids, in order. Raises ``KeyError``."""
        return self.rows[self.positions(ids)]

    def sample(self, n: int, among: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return (m, D) float32 vectors spread evenly over all, m <= n.

        With ``among`` only those with these ids; ids that are newer than the index are left out.
        """
        rows = np.arange(len(self)) if among is None else np.flatnonzero(np.isin(self.ids, among))
        return np.asarray(self.rows[spread(rows, n)])

    def search(
        self, queries: ArrayLike, k: int, among: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the k best vectors of the gallery for each query.

        ``queries`` are (Q, D). The result is (Q, k') float32 scores, best first, and (Q, k') int64 ids, with
        k' = min(k, gallery). ``among`` restricts the gallery to these ids. Among equal scores the older
        vector comes first. Raises ``ValueError`` for queries of another dimension.
        """
        wanted = np.ascontiguousarray(queries, dtype=np.float32)
        if wanted.ndim != 2 or wanted.shape[1] != self.dim:
            raise ValueError(f"queries of shape {wanted.shape} for an index of dimension {self.dim}")
        ids, rows, kept = self.ids, self.rows, None
        if among is not None:
            kept = np.flatnonzero(np.isin(ids, np.asarray(among, dtype=np.int64)))
            ids = ids[kept]
            if len(wanted) >= _MANY_QUERIES or len(kept) < _FEW * len(rows):
                # Copying many rows costs more than scoring all of them.
                rows, kept = rows[kept], None
        k = min(k, len(ids))
        if k < 1 or not len(wanted):
            shape = len(wanted), max(k, 0)
            return np.empty(shape, np.float32), np.empty(shape, np.int64)
        if len(wanted) < _MANY_QUERIES:
            scored = (query @ rows.T for query in wanted)
            found = [best_of(scores if kept is None else scores[kept], ids, k) for scores in scored]
            return np.stack([scores for scores, _ in found]), np.stack([numbers for _, numbers in found])
        import faiss

        scores, at = faiss.knn(wanted, rows, k, metric=faiss.METRIC_INNER_PRODUCT)
        numbers = ids[at]
        order = np.lexsort((numbers, -scores), axis=1)
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(numbers, order, axis=1)


def spread(values: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return up to ``n`` of the values, spread evenly over them."""
    return values[np.linspace(0, len(values) - 1, min(n, len(values))).astype(np.int64)]


def best_of(
    scores: NDArray[np.float32], ids: NDArray[np.int64], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the k highest of (N,) scores, with their ids.

    The highest score comes first; among equal scores, the smaller id.
    """
    lowest = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= lowest)  # more than k if several equal the lowest
    order = candidates[np.lexsort((ids[candidates], -scores[candidates]))[:k]]
    return scores[order], ids[order]


def open_exact(
    catalog: CatalogReader, kind: VectorKind, model_id: int, dim: int, after: int = 0, *, verify: bool = False
) -> VectorIndex:
    """Open the exact index of one kind and model.

    It has the vectors with ids above ``after`` that are now in the catalogue. A current file beside the
    catalogue is mapped. An older file is written again: it keeps its valid vectors, and the others come from
    the catalogue. If the library is read-only, the vectors are held in memory instead. ``verify`` reads the
    whole file to compare its checksum. Raises ``LibraryError``.
    """
    path = index_file(catalog.path.parent, kind, model_id, tail=after > 0)
    with catalog.snapshot():
        wanted = stamp(catalog, kind, model_id, after)
        stored = read_vectors(path, verify=verify)
        if stored is not None and stored.rows.shape[1] != dim:
            stored = None
        if stored is not None and stored.stamp == wanted:
            return VectorIndex(stored.ids, stored.rows)
        if wanted is not None:
            with suppress(OSError):
                write_vectors(path, wanted, dim, _blocks(catalog, stored, kind, model_id, dim, after))
                path.with_suffix(".faiss").unlink(missing_ok=True)  # the format of older versions
                written = read_vectors(path)
                if written is not None:
                    return VectorIndex(written.ids, written.rows)
        blocks = list(_blocks(catalog, stored, kind, model_id, dim, after))
    empty = VectorIndex.empty(dim)
    return VectorIndex(
        np.concatenate([empty.ids, *(ids for ids, _ in blocks)]),
        np.concatenate([empty.rows, *(rows for _, rows in blocks)]),
    )


def index_file(folder: Path, kind: VectorKind, model_id: int, *, tail: bool = False) -> Path:
    """Return the path of the cache file of one kind and model.

    The file holds all vectors or, with ``tail``, only those newer than the inverted lists.
    """
    return folder / f"{kind}-{model_id}.{'tail' if tail else 'vectors'}"


def _blocks(
    catalog: CatalogReader,
    stored: StoredVectors | None,
    kind: VectorKind,
    model_id: int,
    dim: int,
    after: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield the ids and rows of all vectors. The stored ones come first, then the new ones."""
    newest = after
    if stored is not None and len(stored.ids) and catalog.was_state(kind, model_id, stored.stamp.state):
        wanted = catalog.vector_ids(kind, model_id, after)
        kept = np.flatnonzero(np.isin(stored.ids, wanted))
        if len(kept) == np.count_nonzero(wanted <= stored.ids.max()):  # else it starts at a higher id
            newest = max(after, int(stored.ids.max()))
            for start in range(0, len(kept), BLOCK):
                some = kept[start : start + BLOCK]
                yield stored.ids[some], stored.rows[some]
    while block := catalog.vectors_after(kind, model_id, newest, BLOCK):
        yield np.array([id_ for id_, _ in block]), as_matrix([vector for _, vector in block], dim)
        newest = block[-1][0]


def stamp(catalog: CatalogReader, kind: VectorKind, model_id: int, after: int = 0) -> Stamp | None:
    """Return the stamp of the vectors that the catalogue has now.

    It covers ids above ``after``. The result is None if the catalogue has no state for this kind and model
    yet.
    """
    state = catalog.state(kind, model_id)
    return None if state is None else Stamp(state, after)
