"""Large galleries, made small: inverted lists beside an exact tail find what exact search finds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes import RecordedProgress
from tests.indexer.test_vectors import Shelf, random_units
from twobranch.common.progress import SILENT
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog, ImageVector
from twobranch.indexer.vectors import index as galleries
from twobranch.indexer.vectors.exact import VectorIndex, index_file
from twobranch.indexer.vectors.index import TRIAL_QUERIES, Index, open_index, update_index
from twobranch.indexer.vectors.ivf import LargeIndex, lists_file

N = 6_000  # 128 lists of about 47 vectors
DIM = 16


def encode_texts(texts: Sequence[str]) -> NDArray[np.float32]:
    return random_units(len(texts), dim=DIM, seed=9)


class LargeShelf(Shelf):
    """A shelf with ``N`` vectors of 16 dimensions, and lists over them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.rows = random_units(N, dim=DIM)
        self.ids = self.add(self.rows)
        self.reader = CatalogReader.open(folder)
        self.update()

    def update(self) -> None:
        update_index(self.reader, "images", 1, DIM, encode_texts, SILENT)

    def index(self, *, exact: bool = False) -> Index:
        return open_index(self.reader, "images", 1, DIM, exact=exact)

    @property
    def lists(self) -> Path:
        return lists_file(self.folder, "images", 1)


@pytest.fixture
def shelf(library: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LargeShelf]:
    monkeypatch.setattr(galleries, "LARGE", N // 2)
    shelf = LargeShelf(library)
    with closing(shelf.catalog), closing(shelf.reader):
        yield shelf


def found(index: Index, queries: NDArray[np.float32], k: int = 10) -> list[list[int]]:
    ids = index.search(queries, k)[1].tolist()
    return [list(row) for row in ids]


def test_nearly_all_of_the_ten_best_are_found_with_exact_scores(shelf: LargeShelf) -> None:
    index, exact = shelf.index(), shelf.index(exact=True)
    assert isinstance(index, LargeIndex) and isinstance(exact, VectorIndex)
    assert len(index) == len(exact) == N
    queries = random_units(50, dim=DIM, seed=1)
    scores, ids = index.search(queries, 10)
    expected = exact.search(queries, 10)[1]
    shared = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(ids, expected, strict=True)])
    assert shared >= 0.98  # 0.995 of the trial queries' ten best are what the lists were made for
    for query, row, numbers in zip(queries, scores, ids, strict=True):
        np.testing.assert_allclose(row, shelf.rows[np.searchsorted(shelf.ids, numbers)] @ query, atol=1e-6)
        assert (np.diff(row) <= 0).all()


def test_the_files_are_those_of_a_large_gallery(shelf: LargeShelf) -> None:
    shelf.index()
    names = {file.name for file in shelf.folder.iterdir()}
    assert {"images-1.ivf", "images-1.ivf.json", "images-1.tail"} <= names
    assert "images-1.vectors" not in names  # 2 KB a photo that nobody reads
    facts = json.loads(lists_file(shelf.folder, "images", 1).with_suffix(".ivf.json").read_text())
    assert facts["count"] == N and facts["recall"] >= 0.995


def test_what_is_added_is_found_and_what_is_removed_is_not(shelf: LargeShelf) -> None:
    before = shelf.lists.read_bytes()
    query = random_units(1, dim=DIM, seed=5)
    ((first, second, *_),) = found(shelf.index(), query)
    shelf.remove(first)
    (new,) = shelf.add(query)
    shelf.update()
    assert found(shelf.index(), query, 2) == [[new, second]]
    assert len(shelf.index()) == N
    assert shelf.lists.read_bytes() == before  # one in six thousand: the lists stay


def test_lists_are_built_anew_when_a_tenth_has_changed(shelf: LargeShelf) -> None:
    shelf.add(random_units(N // 10 + 1, dim=DIM, seed=2))
    shelf.update()
    index = shelf.index()
    assert isinstance(index, LargeIndex)
    assert (index.lists.count, len(index.tail)) == (N + N // 10 + 1, 0)
    shelf.remove(*shelf.ids[: N // 8])
    shelf.update()
    rebuilt = shelf.index()
    assert isinstance(rebuilt, LargeIndex)
    assert rebuilt.lists.count == N + N // 10 + 1 - N // 8


def test_as_many_hits_as_asked_for_where_there_are_so_many(shelf: LargeShelf) -> None:
    query = random_units(1, dim=DIM, seed=5)
    for k in (1, 100, N, 2 * N):
        ids = shelf.index().search(query, k)[1]
        assert ids.shape == (1, min(k, N)) and len(np.unique(ids)) == min(k, N)


def test_among_is_searched_exactly(shelf: LargeShelf) -> None:
    query = random_units(3, dim=DIM, seed=5)
    some = shelf.ids[::100]
    scores, ids = shelf.index().search(query, 5, among=[*some, 10**9])
    expected_scores, expected = VectorIndex(np.array(some), shelf.rows[::100]).search(query, 5)
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)
    assert shelf.index().search(query, 5, among=[])[1].shape == (3, 0)


def test_many_that_a_filter_lets_through_are_found_by_their_lists(
    shelf: LargeShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the vectors, two of which were added after the lists were made."""
    monkeypatch.setattr("twobranch.indexer.vectors.ivf._MOST_EXACT", 100)
    newer = shelf.add(random_units(2, dim=DIM, seed=5))
    among = np.concatenate([shelf.ids[::2], newer])
    queries = random_units(20, dim=DIM, seed=2)
    ids = shelf.index().search(queries, 10, among)[1]
    assert np.isin(ids, among).all()
    expected = shelf.index(exact=True).search(queries, 10, among)[1]
    shared = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(ids, expected, strict=True)])
    assert shared >= 0.98
    # One that the lists hold few of is found as well: lists are probed until there are enough.
    few = np.concatenate([shelf.ids[:101], newer])
    assert shelf.index().search(queries, 50, few)[1].shape == (20, 50)


def test_vectors_come_from_the_catalogue(shelf: LargeShelf) -> None:
    index = shelf.index()
    np.testing.assert_array_equal(index.vectors(shelf.ids[5:2:-1]), shelf.rows[5:2:-1])
    with pytest.raises(KeyError):
        index.vectors([10**9])


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "no facts", "other facts", "foreign"])
def test_damaged_lists_are_searched_around_and_built_again(shelf: LargeShelf, damage: str) -> None:
    facts = shelf.lists.with_suffix(".ivf.json")
    good = shelf.lists.read_bytes()
    if damage == "missing":
        shelf.lists.unlink()
    elif damage == "cut":
        shelf.lists.write_bytes(good[: len(good) // 2])
    elif damage == "flipped":
        shelf.lists.write_bytes(good[:5000] + bytes([good[5000] ^ 1]) + good[5001:])
    elif damage == "no facts":
        facts.unlink()
    elif damage == "other facts":
        facts.write_text(facts.read_text().replace('"format": 3', '"format": 99'))
    else:
        facts.write_text("[]")
    query = random_units(1, dim=DIM, seed=5)
    expected = shelf.index(exact=True).search(query, 10)[1].tolist()
    assert isinstance(shelf.index(), VectorIndex)  # every vector is looked at
    assert found(shelf.index(), query) == expected
    shelf.update()
    assert isinstance(shelf.index(), LargeIndex)


def test_a_full_disk_leaves_a_library_that_is_searched_exactly(
    shelf: LargeShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    shelf.lists.unlink()
    monkeypatch.setattr(galleries, "build_lists", full)
    progress = RecordedProgress()
    update_index(shelf.reader, "images", 1, DIM, encode_texts, progress)
    assert progress.warnings == [
        "[Errno 28] No space left on device; until the next `index` a search compares all 6,000 images"
    ]
    assert isinstance(shelf.index(), VectorIndex)


def test_lists_of_another_history_are_not_used(shelf: LargeShelf) -> None:
    with shelf.catalog.session() as session:
        session.get_one(ImageVector, shelf.ids[-1]).vector = shelf.rows[0].tobytes()
    assert isinstance(shelf.index(), VectorIndex)


def test_a_small_gallery_has_no_lists(library: Path) -> None:
    small = Shelf(library)
    with closing(small.catalog), closing(CatalogReader.open(library)) as reader:
        small.add(random_units(5, dim=DIM))
        update_index(reader, "images", 1, DIM, encode_texts, SILENT)
        assert isinstance(open_index(reader, "images", 1, DIM), VectorIndex)
        assert index_file(library, "images", 1).is_file()
        assert not lists_file(library, "images", 1).exists()


def test_trial_queries_are_many_and_different() -> None:
    assert len(TRIAL_QUERIES) == len(set(TRIAL_QUERIES)) == 64


def test_a_library_of_no_model_is_no_catalogue_of_vectors(library: Path) -> None:
    Catalog.open(library, create=True).close()
    with closing(CatalogReader.open(library)) as reader:
        assert len(open_index(reader, "captions", 1, DIM)) == 0
