from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import delete

from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog, Image, ImageVector, Model, Root, utcnow
from twobranch.indexer.vectors import exact as vectors
from twobranch.indexer.vectors.exact import VectorIndex, index_file, open_exact
from twobranch.indexer.vectors.mapped_file import Stamp, read_vectors, write_vectors

DIM = 4


def random_units(n: int, dim: int = DIM, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def filled(ids: Sequence[int] | NDArray[np.int64], rows: NDArray[np.float32]) -> VectorIndex:
    return VectorIndex(np.array(ids, dtype=np.int64), rows)


def read_stamp(path: Path) -> Stamp:
    stored = read_vectors(path)
    assert stored is not None
    return stored.stamp


def oracle(
    queries: NDArray[np.float32], ids: NDArray[np.int64], rows: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k best by sorting all scores; of equal ones the smaller id first."""
    scores = queries @ rows.T
    order = np.array([np.lexsort((ids, -row))[:k] for row in scores]).reshape(len(queries), -1)
    return np.take_along_axis(scores, order, axis=1), ids[order]


# --- search ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 7, 50, 80])  # 80 is more than there are
@pytest.mark.parametrize("n_queries", [1, 40])  # FAISS multiplies matrices from 20 queries on
def test_search_is_what_sorting_all_scores_gives(k: int, n_queries: int) -> None:
    rows, queries = random_units(50), random_units(n_queries, seed=1)
    ids = np.random.default_rng(2).permutation(1000)[:50]
    scores, found = filled(ids, rows).search(queries, k)
    expected_scores, expected = oracle(queries, ids, rows, k)
    assert found.shape == (n_queries, min(k, 50))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)


def test_of_equal_scores_the_older_vector_comes_first() -> None:
    index = filled([30, 10, 20], np.array([[1, 0], [1, 0], [0, 1]], np.float32))
    scores, ids = index.search([[1, 0]], 3)
    assert ids.tolist() == [[10, 30, 20]]
    assert scores.tolist() == [[1, 1, 0]]


def test_among_restricts_the_gallery() -> None:
    rows, queries = random_units(50), random_units(5, seed=1)
    ids = np.arange(100, 150)
    some = ids[::3]
    _, found = filled(ids, rows).search(queries, 10, among=[*some, 7, some[0]])  # a strange id, and one twice
    np.testing.assert_array_equal(found, oracle(queries, some, rows[::3], 10)[1])


def test_among_few_gives_few() -> None:
    index = filled([1, 2, 3], random_units(3))
    assert index.search(random_units(2), 10, among=[3])[1].tolist() == [[3], [3]]
    assert index.search(random_units(2), 10, among=[])[1].shape == (2, 0)
    assert index.search(random_units(2), 10, among=[99])[1].shape == (2, 0)


def test_searching_nothing_for_nothing() -> None:
    assert VectorIndex.empty(DIM).search(random_units(2), 10)[0].shape == (2, 0)
    assert filled([1, 2], random_units(2)).search(np.empty((0, DIM)), 10)[1].shape == (0, 2)
    assert filled([1, 2], random_units(2)).search(random_units(3), 0)[1].shape == (3, 0)


def test_queries_of_another_dimension_are_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) for an index of dimension 4"):
        filled([1], random_units(1)).search(random_units(2, dim=3), 1)


def test_of_many_equal_scores_the_oldest_are_kept() -> None:
    # Five photos score 1, and k = 2 cuts between them.
    rows = np.array([[0, 1], [1, 0], [1, 0], [1, 0], [1, 0], [1, 0]], np.float32)
    assert filled([1, 6, 5, 4, 3, 2], rows).search([[1, 0]], 2)[1].tolist() == [[2, 3]]


def test_vectors_by_id_in_the_order_that_was_asked_for() -> None:
    rows = random_units(3)
    index = filled([30, 10, 20], rows)
    np.testing.assert_array_equal(index.vectors([10, 30, 10]), rows[[1, 0, 1]])
    for strange in ([99], [10, 11], [1]):
        with pytest.raises(KeyError):
            index.vectors(strange)
    with pytest.raises(KeyError):
        VectorIndex.empty(DIM).vectors([1])
    assert VectorIndex.empty(DIM).vectors([]).shape == (0, DIM)


# --- the catalogue is the truth -------------------------------------------------------------------


class Shelf:
    """A catalogue with vectors of two models, and the folder with their index files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = Catalog.open(folder, create=True)
        with self.catalog.session(write=True) as session:
            session.add(Root(path="/photos"))
            session.add_all(
                Model(name=name, folder="/m", fingerprint=name, dim=DIM, added_at=utcnow()) for name in "ab"
            )

    def add(self, rows: NDArray[np.float32], model_id: int = 1) -> list[int]:
        """Adds a photo with a vector for each row; returns the ids of the vectors."""
        with self.catalog.session(write=True) as session:
            added = []
            for row in rows:
                image = Image(root_id=1, path=os.urandom(8).hex(), size=0, mtime_ns=0, indexed_at=utcnow())
                session.add(image)
                session.flush()
                added.append(ImageVector(model_id=model_id, image_id=image.id, vector=row.tobytes()))
            session.add_all(added)
            session.flush()
            return [vector.id for vector in added]

    def remove(self, *ids: int) -> None:
        with self.catalog.session(write=True) as session:
            session.execute(delete(ImageVector).where(ImageVector.id.in_(ids)))

    def open(self) -> VectorIndex:
        with closing(CatalogReader.open(self.folder)) as reader:
            return open_exact(reader, "images", 1, DIM)

    @property
    def file(self) -> Path:
        return index_file(self.folder, "images", 1)

    def content(self, index: VectorIndex) -> dict[int, list[float]]:
        return dict(zip(index.ids.tolist(), index.vectors(index.ids).tolist(), strict=True))


@pytest.fixture
def shelf(library: Path) -> Iterator[Shelf]:
    shelf = Shelf(library)
    with closing(shelf.catalog):
        yield shelf


def expected(ids: Sequence[int], rows: NDArray[np.float32]) -> dict[int, list[float]]:
    return dict(zip(ids, rows.tolist(), strict=True))


def test_an_index_holds_the_vectors_of_its_model_alone(shelf: Shelf) -> None:
    rows = random_units(4)
    ids = shelf.add(rows[:2])
    shelf.add(rows[2:], model_id=2)
    assert shelf.content(shelf.open()) == expected(ids, rows[:2])


def test_an_empty_catalogue_has_an_empty_index(shelf: Shelf) -> None:
    assert len(shelf.open()) == 0
    assert len(shelf.open()) == 0  # now from the file


def test_a_current_file_is_used_without_reading_the_vectors(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = shelf.add(random_units(3))
    shelf.open()
    monkeypatch.setattr(vectors, "_blocks", None)  # calling it would raise
    assert shelf.open().ids.tolist() == ids


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "other dimension"])
def test_a_bad_file_is_made_again(shelf: Shelf, damage: str) -> None:
    rows = random_units(5)
    ids = shelf.add(rows)
    shelf.open()
    good = shelf.file.read_bytes()
    body = len(good) // 2
    if damage == "missing":
        shelf.file.unlink()
    elif damage == "empty":
        shelf.file.write_bytes(b"")
    elif damage == "cut":
        shelf.file.write_bytes(good[: len(good) // 2])
    elif damage == "flipped":
        shelf.file.write_bytes(good[:body] + bytes([good[body] ^ 1]) + good[body + 1 :])
    else:
        other = random_units(5, dim=7)
        write_vectors(shelf.file, read_stamp(shelf.file), 7, [(np.array(ids), other)])
    assert shelf.content(shelf.open()) == expected(ids, rows)
    made = read_vectors(shelf.file)
    assert made is not None and made.ids.tolist() == ids


def test_a_stale_file_takes_over_what_changed(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "BLOCK", 2)  # five new vectors are three blocks
    rows = random_units(11)
    ids = shelf.add(rows[:6])
    shelf.open()
    shelf.remove(ids[1], ids[5])  # the newest one is among those that go
    ids += shelf.add(rows[6:])
    kept = [0, 2, 3, 4, 6, 7, 8, 9, 10]
    assert shelf.content(shelf.open()) == expected([ids[i] for i in kept], rows[kept])
    stored = read_vectors(shelf.file)
    assert stored is not None and len(stored.ids) == 9  # the file was written anew


def test_only_what_is_new_is_read_from_the_catalogue(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add(random_units(5))
    shelf.open()
    new = shelf.add(random_units(2, seed=1))
    read: list[int] = []
    real = CatalogReader.vectors_after

    def vectors_after(self: CatalogReader, *arguments: Any) -> list[tuple[int, bytes]]:
        block = real(self, *arguments)
        read.extend(id_ for id_, _ in block)
        return block

    monkeypatch.setattr(CatalogReader, "vectors_after", vectors_after)
    shelf.open()
    assert read == new


def test_a_catalogue_restored_from_a_backup_does_not_get_the_vectors_of_its_other_life(shelf: Shelf) -> None:
    common = random_units(2)
    ids = shelf.add(common)
    shelf.catalog.close()
    shutil.copy(shelf.catalog.path, shelf.folder / "backup")
    first, second = random_units(3, seed=1), random_units(3, seed=2)
    lost = shelf.add(first)
    shelf.open()
    shelf.catalog.close()
    shutil.copy(shelf.folder / "backup", shelf.catalog.path)
    assert shelf.add(second) == lost  # the same ids, for other vectors
    assert shelf.content(shelf.open()) == expected(ids + lost, np.vstack([common, second]))


def test_a_folder_that_cannot_be_written_to_is_searched_all_the_same(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = random_units(3)
    ids = shelf.add(rows)

    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert shelf.content(shelf.open()) == expected(ids, rows)
    assert not shelf.file.exists()


def test_the_file_of_an_older_version_goes(shelf: Shelf) -> None:
    old = shelf.file.with_suffix(".faiss")
    old.touch()
    shelf.open()
    assert not old.exists()


def test_vectors_of_another_length_in_the_catalogue_are_an_error(shelf: Shelf) -> None:
    shelf.add(random_units(2, dim=2 * DIM))
    with pytest.raises(LibraryError, match="not of dimension 4"):
        shelf.open()
