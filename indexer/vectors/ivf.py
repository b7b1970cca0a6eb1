"""Inverted lists (IVF) for large galleries.

They are FAISS's ``IndexIVFScalarQuantizer``. K-means divides the vectors into lists, and a query is compared
only with the lists whose centres score highest. The lists hold vectors with 8 bits per dimension. The file is
memory-mapped, so a search reads only the lists that it probes. The best candidates then get exact scores from
the catalogue.

``index`` builds the lists once, over all vectors up to the newest id. Vectors that are added later are
searched exactly (`LargeIndex.tail`); vectors that are removed later are missing from the catalogue and are
skipped. When more than a tenth was added or removed, ``index`` builds the lists again. The number of probed
lists is measured at that time, so that typical text queries find nearly all of their ten best results.
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
from twobranch.indexer.catalog.reader import CatalogReader, VectorKind
from twobranch.indexer.vectors.codec import as_matrix
from twobranch.indexer.vectors.exact import BLOCK, VectorIndex, best_of, spread

_FORMAT = 3  # format 2 had no state of the catalogue, format 1 no checksum over the facts
ENOUGH = 0.995  # of the ten best of exact search, on average over the trial queries
_TRIAL_K = 10
_DRIFT = 0.1  # of the vectors, added or removed, before the lists are built again
TRAINING_A_LIST = 40  # vectors for k-means per list; FAISS warns below 39
_CANDIDATES = 4  # times k: the number of vectors that get exact scores
_FEWEST_CANDIDATES = 64  # their least number
_MOST_EXACT = 20_000  # vectors of a filtered gallery that are read one by one: 0.1 s
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Facts:
    """Metadata of a FAISS file, stored beside it as JSON."""

    format: int
    dim: int
    count: int  # of vectors
    newest: int  # id
    probes: int  # lists compared with each query
    recall: float  # of the trial queries' ten best, with this number of probes
    state: str  # hexadecimal, of the catalogue when built (``indexer.catalog.vector_states``)
    size: int  # of the FAISS file
    mtime_ns: int
    crc32: int


@dataclass(frozen=True)
class InvertedLists:
    """The vectors of a gallery at the time the lists were built."""

    index: Any  # faiss.IndexIVF, mapped
    count: int
    newest: int
    probes: int
    recall: float

    def candidates(self, query: NDArray[np.float32], k: int, selector: Any = None) -> NDArray[np.int64]:
        """Return the (n,) ids of candidates for a query, at least k.

        More lists are probed until k ids are found or all lists are searched. A FAISS ``selector`` limits the
        search to some ids. Their best matches may be in more distant lists than the best of all, so four
        times as many lists are probed.
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
        """Return the (Q, k) scores and ids of the closest vectors.

        ``rows`` are (Q, D). Each row is compared with ``probes`` lists. Scores are approximate, from vectors
        of 8 bits per dimension. Ids are -1 where the lists hold fewer than k vectors. A vector may have been
        removed from the catalogue.
        """
        import faiss

        scores, ids = self.index.search(rows, k, params=faiss.SearchParametersIVF(nprobe=probes))
        return scores, ids


@dataclass(frozen=True)
class LargeIndex:
    """Search in inverted lists and an exact tail.

    Scores are exact, and nearly all of the best vectors are found.
    """

    lists: InvertedLists
    tail: VectorIndex  # the vectors newer than the lists
    catalog: CatalogReader
    kind: VectorKind
    model_id: int
    count: int  # of the vectors in the catalogue

    def __len__(self) -> int:
        return self.count

    @property
    def dim(self) -> int:
        """The dimension D of the vectors."""
        return self.tail.dim

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return the (n, D) float32 vectors with these ids, in order. Raises ``KeyError``."""
        numbers = np.asarray(ids, dtype=np.int64).tolist()
        there = self.catalog.vectors(self.kind, numbers)
        return as_matrix([there[id_] for id_ in numbers], self.dim)

    def sample(self, n: int, among: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return vectors spread over all; see ``VectorIndex.sample``."""
        spread_ids = self.catalog.spread_ids
        ids = spread_ids(self.kind, self.model_id, n) if among is None else spread(among, n).tolist()
        return as_matrix(list(self.catalog.vectors(self.kind, ids).values()), self.dim)

    def search(
        self, queries: ArrayLike, k: int, among: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Search like ``VectorIndex.search``, but only in the probed lists.

        A vector in another list is missed. With ``among``, up to 20,000 ids are searched exactly; more are
        searched in the lists as well. The result is (Q, k') scores and ids, with k' at most min(k, gallery).
        Raises ``ValueError`` for queries of another dimension.
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
        """Return the k best vectors with these ids. Few are searched exactly, many in more lists."""
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
        """Return the k best of these candidates, with exact scores.

        The scores come from the vectors in the catalogue; ids that it no longer has are skipped.
        """
        there = self.catalog.vectors(self.kind, ids.tolist())
        kept = np.array(sorted(there), dtype=np.int64)
        if not len(kept):
            return np.empty(0, np.float32), kept
        scores = as_matrix([there[id_] for id_ in kept.tolist()], self.dim) @ query
        return best_of(scores, kept, min(k, len(kept)))


def _stacked(
    found: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the results of Q queries as (Q, k') scores and ids. k' is the smallest number of results."""
    width = min((len(scores) for scores, _ in found), default=k)
    return (
        np.array([scores[:width] for scores, _ in found], np.float32).reshape(len(found), width),
        np.array([ids[:width] for _, ids in found], np.int64).reshape(len(found), width),
    )


def lists_file(folder: Path, kind: VectorKind, model_id: int) -> Path:
    """Return the path of the FAISS file of one kind and model. Its metadata is in a JSON file beside it."""
    return folder / f"{kind}-{model_id}.ivf"


def load_lists(
    catalog: CatalogReader, kind: VectorKind, model_id: int, dim: int, *, verify: bool = False
) -> InvertedLists | None:
    """Open the inverted lists of one kind and model.

    The result is None if there are none, or if they are damaged or were built from a state that this
    catalogue never had. ``verify`` compares the checksum of the file whatever its modification time.
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
        return None  # the catalogue never had this state
    import faiss

    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError:
        return None
    return InvertedLists(index, facts.count, facts.newest, facts.probes, facts.recall)


def drifted(lists: InvertedLists, older: int, newer: int) -> bool:
    """Return True if the lists should be built again.

    That is when more than a tenth of their vectors was removed, or as many were added. ``older`` is the
    number of vectors in the catalogue up to the newest one in the lists, ``newer`` the number after it.
    """
    return lists.count - older > _DRIFT * lists.count or newer > _DRIFT * lists.count


def build_lists(
    catalog: CatalogReader,
    kind: VectorKind,
    model_id: int,
    dim: int,
    trial: NDArray[np.float32],
    progress: Progress,
) -> None:
    """Build and write the lists of one kind and model.

    They hold all of its vectors. ``trial`` are (Q, D) typical queries. The number of probed lists is the
    least with which they find ``ENOUGH`` of the results of exact search. Memory: the training sample (40
    vectors per list) and the lists themselves, 0.5 KB per vector of 512 dimensions. Raises ``OSError``.
    """
    path = lists_file(catalog.path.parent, kind, model_id)
    with catalog.snapshot():  # so that the state belongs to the vectors
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
        f"{kind}: {index.ntotal:,} vectors in {index.nlist:,} lists, {probes} searched per query; "
        f"{100 * recall:.1f}% of exact search's ten best are found"
    )


def _sorted(
    catalog: CatalogReader,
    kind: VectorKind,
    model_id: int,
    dim: int,
    trial: NDArray[np.float32],
    progress: Progress,
) -> tuple[Any, Best, int]:
    """Build a FAISS index of all vectors of one kind and model.

    Returns the index, the exact results of the trial queries, and the newest id.
    """
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
    """Return the number of lists for ``count`` vectors.

    It is the power of two nearest to twice the square root.
    """
    return 1 << round(np.log2(2 * np.sqrt(count)))


def scan_seconds(rows: NDArray[np.float32], runs: int) -> float:
    """Measure the median seconds to scan one list of (N, D) vectors. ``runs`` queries are timed."""
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
    """The ids of the k best vectors for each query. Vectors are added in blocks; queries are (Q, D)."""

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


def _sample(catalog: CatalogReader, kind: VectorKind, model_id: int, dim: int, n: int) -> NDArray[np.float32]:
    """Return a sample of (n, D) vectors, spread evenly over all."""
    ids = catalog.vector_ids(kind, model_id)
    chosen = ids[np.linspace(0, len(ids) - 1, n).astype(np.int64)]
    there = catalog.vectors(kind, chosen.tolist())
    return as_matrix(list(there.values()), dim)


def _enough_probes(index: Any, trial: NDArray[np.float32], exact: NDArray[np.int64]) -> tuple[int, float]:
    """Return the least number of probes with enough recall, and that recall.

    The number is a power of two, or all lists. ``exact`` are the (Q, k) best ids by exact search.
    """
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
    """Replace the FAISS file in one step. Returns its size, modification time in ns and crc32."""
    import faiss

    with replacing(path) as partial:
        try:
            faiss.write_index(index, str(partial))
        except RuntimeError as error:  # FAISS raises it for a full disk
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
