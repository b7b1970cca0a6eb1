"""Large galleries: inverted lists that are probed, and exact scores for what they find.

FAISS's ``IndexIVFScalarQuantizer``: k-means puts the vectors into lists, a query looks only into the lists
whose centres score highest, where vectors are kept with 8 bits a dimension. The file is mapped, so a search
reads the lists that it probes and nothing else. The best candidates get exact scores from the catalogue.

Built once, by ``index``, over all vectors up to the newest id of that moment; what is added later is searched
exactly (`LargeIndex.tail`), what is removed is no longer in the catalogue. When either has grown to a tenth,
``index`` builds anew. How many lists are probed is measured when it is built: so many that for queries as
people type them nearly all of the ten best are found.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twobranch.common.atomic import replacing
from twobranch.common.progress import Progress, showing
from twobranch.indexer.catalog.reader import CatalogReader, Gallery
from twobranch.indexer.vectors.codec import as_matrix
from twobranch.indexer.vectors.exact import BLOCK, VectorIndex, best_of

_FORMAT = 3  # 2 had no state of the catalogue, 1 no checksum over the facts
ENOUGH = 0.995  # of the ten best of exact search, on average over the trial queries
_TRIAL_K = 10
_DRIFT = 0.1  # of the vectors, added or removed, before the lists are built anew
TRAINING_A_LIST = 40  # vectors for k-means; FAISS warns below 39
_CANDIDATES = 4  # times k, and no fewer than this many, get exact scores
_FEWEST_CANDIDATES = 64
_MOST_EXACT = 20_000  # vectors of a filtered gallery that are read one by one: 0.1 s
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Facts:
    """What is kept beside the FAISS file."""

    format: int
    dim: int
    count: int  # of vectors
    newest: int  # id
    probes: int  # lists a query looks into
    recall: float  # of the trial queries' ten best, with so many probes
    state: str  # of the catalogue when they were built, in hexadecimal (``indexer.catalog.vector_states``)
    size: int  # of the FAISS file
    mtime_ns: int
    crc32: int


@dataclass(frozen=True)
class InvertedLists:
    """The part of a gallery that was there when the lists were built."""

    index: Any  # faiss.IndexIVF, mapped
    count: int
    newest: int
    probes: int
    recall: float

    def candidates(self, query: NDArray[np.float32], k: int, selector: Any = None) -> NDArray[np.int64]:
        """(n,) ids, at least k of them where there are so many: more lists are probed until they hold k.

        A FAISS ``selector`` says which count. The best of some lie in lists further away than the best of
        all: four times as many are probed.
        """
        import faiss

        probes = self.probes if selector is None else min(4 * self.probes, self.index.nlist)
        while True:
            parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
            _, ids = self.index.search(query[None], min(k, self.count), params=parameters)
            found = np.asarray(ids[0][ids[0] >= 0], dtype=np.int64)
            if len(found) >= min(k, self.count) or probes >= self.index.nlist:
                return found
            probes *= 4

    def closest(
        self, rows: NDArray[np.float32], k: int, probes: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(Q, k) scores and ids for (Q, D) queries: the best in so many lists, by vectors of 8 bits a
        dimension. An id is -1 where the lists hold fewer; a vector may be gone from the catalogue."""
        import faiss

        scores, ids = self.index.search(rows, k, params=faiss.SearchParametersIVF(nprobe=probes))
        return scores, ids


@dataclass(frozen=True)
class LargeIndex:
    """Search in inverted lists and an exact tail: scores are exact, and nearly all of the best are found."""

    lists: InvertedLists
    tail: VectorIndex  # what is newer than the lists
    catalog: CatalogReader
    kind: Gallery
    model_id: int
    count: int  # of the vectors in the catalogue

    def __len__(self) -> int:
        return self.count

    @property
    def dim(self) -> int:
        """The dimension D of the vectors."""
        return self.tail.dim

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]:
        """(n, D) float32: the vectors with these ids, in their order. Raises ``KeyError``."""
        numbers = np.asarray(ids, dtype=np.int64).tolist()
        there = self.catalog.vectors(self.kind, numbers)
        return as_matrix([there[id_] for id_ in numbers], self.dim)

    def search(
        self, queries: ArrayLike, k: int, among: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As ``VectorIndex.search``, except that a vector in a list that is not probed is missed.

        ``among`` is searched exactly: (Q, k') of the k' = min(k, gallery) best.
        """
        rows = np.ascontiguousarray(queries, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise ValueError(f"queries of shape {rows.shape} for an index of dimension {self.dim}")
        if among is not None:
            return self._search_among(rows, k, np.unique(np.asarray(among, dtype=np.int64)))
        k = min(k, len(self))
        wanted = max(_CANDIDATES * k, _FEWEST_CANDIDATES)
        newer = self.tail.search(rows, k)[1]
        found = [
            self._exact(query, np.concatenate([self.lists.candidates(query, wanted), ids]), k)
            for query, ids in zip(rows, newer, strict=True)
        ]
        return _stacked(found, k)

    def _search_among(
        self, rows: NDArray[np.float32], k: int, ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k best of the vectors with these ids: exactly while they are few, else in more lists."""
        if len(ids) > _MOST_EXACT:
            import faiss

            selector = faiss.IDSelectorBatch(ids)
            newer = self.tail.search(rows, k, ids)[1]
            wanted = max(_CANDIDATES * k, _FEWEST_CANDIDATES)
            found = [
                self._exact(query, np.concatenate([self.lists.candidates(query, wanted, selector), last]), k)
                for query, last in zip(rows, newer, strict=True)
            ]
            return _stacked(found, k)
        there = self.catalog.vectors(self.kind, ids.tolist())
        kept = np.array(sorted(there), dtype=np.int64)
        return VectorIndex(kept, as_matrix([there[id_] for id_ in kept.tolist()], self.dim)).search(rows, k)

    def _exact(
        self, query: NDArray[np.float32], ids: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k best of these candidates by their vectors in the catalogue, without those that are gone."""
        there = self.catalog.vectors(self.kind, ids.tolist())
        kept = np.array(sorted(there), dtype=np.int64)
        if not len(kept):
            return np.empty(0, np.float32), kept
        scores = as_matrix([there[id_] for id_ in kept.tolist()], self.dim) @ query
        return best_of(scores, kept, min(k, len(kept)))


def _stacked(
    found: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(Q, k') scores and ids; k' is what every query has."""
    width = min((len(scores) for scores, _ in found), default=k)
    return (
        np.array([scores[:width] for scores, _ in found], np.float32).reshape(len(found), width),
        np.array([ids[:width] for _, ids in found], np.int64).reshape(len(found), width),
    )


def lists_file(folder: Path, kind: Gallery, model_id: int) -> Path:
    """The FAISS file of one kind and model; what is known of it is in a JSON file beside it."""
    return folder / f"{kind}-{model_id}.ivf"


def load_lists(
    catalog: CatalogReader, kind: Gallery, model_id: int, dim: int, *, verify: bool = False
) -> InvertedLists | None:
    """The inverted lists of one kind and model; None where there are none, or they are damaged or foreign.

    ``verify`` compares the checksum of the file whatever its time.
    """
    path = lists_file(catalog.path.parent, kind, model_id)
    facts = _read_facts(path)
    if facts is None or facts.dim != dim:
        return None
    try:
        status = path.stat()
        if status.st_size != facts.size:
            return None
        if (verify or status.st_mtime_ns != facts.mtime_ns) and _crc32(path) != facts.crc32:
            return None
    except OSError:
        return None
    if not catalog.was_state(kind, model_id, bytes.fromhex(facts.state)):
        return None  # of another history of the catalogue
    import faiss

    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError:
        return None
    return InvertedLists(index, facts.count, facts.newest, facts.probes, facts.recall)


def drifted(lists: InvertedLists, older: int, newer: int) -> bool:
    """Whether so much is gone or was added that the lists should be built anew. ``older`` and ``newer`` are
    how many vectors the catalogue has up to the newest of the lists, and beyond."""
    return lists.count - older > _DRIFT * lists.count or newer > _DRIFT * lists.count


def build_lists(
    catalog: CatalogReader,
    kind: Gallery,
    model_id: int,
    dim: int,
    trial: NDArray[np.float32],
    progress: Progress,
) -> None:
    """Build the lists over all vectors of one kind and model, and write them.

    ``trial`` are (Q, D) queries as people ask them: the lists that are probed are so many that these find
    ``ENOUGH`` of what exact search finds. Memory: the training sample (40 vectors a list) and the lists
    themselves, 0.5 KB a vector of 512 dimensions. Raises ``OSError``.
    """
    path = lists_file(catalog.path.parent, kind, model_id)
    with catalog.snapshot():  # the state is that of the vectors
        state = catalog.state(kind, model_id)
        assert state is not None  # there are vectors
        index, exact, newest = _sorted(catalog, kind, model_id, dim, trial, progress)
    probes, recall = _enough_probes(index, trial, exact.ids)
    size, mtime_ns, crc32 = _write(index, path)
    facts = _Facts(
        _FORMAT, dim, int(index.ntotal), newest, probes, recall, state.hex(), size, mtime_ns, crc32
    )
    _write_facts(facts, path)
    progress.note(
        f"{kind}: {index.ntotal:,} vectors in {index.nlist:,} lists, {probes} of which a query looks into; "
        f"{100 * recall:.1f}% of exact search's ten best are found"
    )


def _sorted(
    catalog: CatalogReader,
    kind: Gallery,
    model_id: int,
    dim: int,
    trial: NDArray[np.float32],
    progress: Progress,
) -> tuple[Any, Best, int]:
    """All vectors in their lists, the best of them for the trial queries, and the newest id."""
    import faiss

    count = catalog.count_vectors(kind, model_id)
    n_lists = number_of_lists(count)
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, n_lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    exact = Best(trial, _TRIAL_K)
    newest = 0
    with showing(progress, f"finding the centres of {n_lists:,} lists of {kind}", None):
        index.train(_sample(catalog, kind, model_id, dim, min(count, TRAINING_A_LIST * n_lists)))
    with showing(progress, f"sorting {kind} into their lists", count):
        while block := catalog.vectors_after(kind, model_id, newest, BLOCK):
            ids = np.array([id_ for id_, _ in block], dtype=np.int64)
            rows = as_matrix([vector for _, vector in block], dim)
            index.add_with_ids(rows, ids)
            exact.add(ids, rows)
            newest = block[-1][0]
            progress.advance(len(block))
    return index, exact, newest


def number_of_lists(count: int) -> int:
    """How many lists so many vectors get: the power of two nearest to twice the square root."""
    return 1 << round(np.log2(2 * np.sqrt(count)))


def scan_seconds(rows: NDArray[np.float32], runs: int) -> float:
    """How long a query takes to look through one list of (N, D) vectors; the median of some."""
    import faiss

    codes = faiss.IndexScalarQuantizer(
        rows.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    codes.train(rows[:1000])
    codes.add(rows)
    times = []
    for query in rows[: runs + 1]:
        started = time.perf_counter()
        codes.search(query[None], _FEWEST_CANDIDATES)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


class Best:
    """The ids of the k best for each of (Q, D) queries, of vectors that come block by block."""

    def __init__(self, queries: NDArray[np.float32], k: int) -> None:
        self._queries = queries
        self._k = k
        self.ids = np.empty((len(queries), 0), dtype=np.int64)
        self._scores = np.empty((len(queries), 0), dtype=np.float32)

    def add(self, ids: NDArray[np.int64], rows: NDArray[np.float32]) -> None:
        scores = np.concatenate([self._scores, self._queries @ rows.T], axis=1)
        numbers = np.concatenate([self.ids, np.broadcast_to(ids, (len(self._queries), len(ids)))], axis=1)
        k = min(self._k, scores.shape[1])
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        self._scores = np.take_along_axis(scores, best, axis=1)
        self.ids = np.take_along_axis(numbers, best, axis=1)


def _sample(catalog: CatalogReader, kind: Gallery, model_id: int, dim: int, n: int) -> NDArray[np.float32]:
    """(n, D) vectors, evenly from all of them."""
    ids = catalog.vector_ids(kind, model_id)
    chosen = ids[np.linspace(0, len(ids) - 1, n).astype(np.int64)]
    there = catalog.vectors(kind, chosen.tolist())
    return as_matrix(list(there.values()), dim)


def _enough_probes(index: Any, trial: NDArray[np.float32], exact: NDArray[np.int64]) -> tuple[int, float]:
    """The fewest probes of 1, 2, 4, ... that find ``ENOUGH`` of the (Q, k) best, and what they find."""
    import faiss

    probes, recall = 1, 0.0
    while True:
        parameters = faiss.SearchParametersIVF(nprobe=probes)
        _, found = index.search(trial, _FEWEST_CANDIDATES, params=parameters)
        hits = [len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True)]
        recall = float(np.mean(hits)) / exact.shape[1]
        if recall >= ENOUGH or probes >= index.nlist:
            return probes, recall
        probes = min(2 * probes, index.nlist)


def _write(index: Any, path: Path) -> tuple[int, int, int]:
    """Replace the FAISS file in one step; its size, time and checksum."""
    import faiss

    with replacing(path) as partial:
        try:
            faiss.write_index(index, str(partial))
        except RuntimeError as error:  # FAISS's own, for a full disk
            raise OSError(f"{path}: cannot be written ({error})") from None
        status, crc32 = partial.stat(), _crc32(partial)
    return status.st_size, status.st_mtime_ns, crc32


def _facts_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _write_facts(facts: _Facts, path: Path) -> None:
    stored = {**asdict(facts), "sha256": _digest(facts)}
    with replacing(_facts_file(path)) as partial:
        partial.write_text(json.dumps(stored, indent=1), encoding="utf-8")


def _digest(facts: _Facts) -> str:
    return hashlib.sha256(json.dumps(asdict(facts), sort_keys=True).encode()).hexdigest()


def _read_facts(path: Path) -> _Facts | None:
    try:
        stored = json.loads(_facts_file(path).read_text(encoding="utf-8"))
        digest = stored.pop("sha256")
        facts = _Facts(**stored)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return facts if facts.format == _FORMAT and _digest(facts) == digest else None


def _crc32(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            crc = zlib.crc32(block, crc)
    return crc
