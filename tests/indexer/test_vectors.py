from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import delete

from indexer import vectors
from indexer.catalog import Catalog, Image, ImageVector, Model, Root, utcnow
from indexer.vectors import Stamp, VectorIndex, index_file, open_index

DIM = 4
STAMP = Stamp(3, 30, bytes(32))


def random_units(n: int, dim: int = DIM, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def filled(ids: Sequence[int], rows: NDArray[np.float32]) -> VectorIndex:
    index = VectorIndex.empty(rows.shape[1])
    index.add(ids, rows)
    return index


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


def test_removal_leaves_the_others_with_their_vectors() -> None:
    rows = random_units(6)
    index = filled([1, 2, 3, 4, 5, 6], rows)
    index.remove([2, 5, 99])
    assert len(index) == 4
    assert sorted(index.ids) == [1, 3, 4, 6]
    np.testing.assert_array_equal(index.vectors([6, 1]), rows[[5, 0]])
    with pytest.raises(KeyError):
        index.vectors([2])


# --- files ----------------------------------------------------------------------------------------


def test_a_file_gives_back_index_and_stamp(tmp_path: Path) -> None:
    rows = random_units(3)
    filled([10, 20, 30], rows).save(tmp_path / "a.faiss", STAMP)
    loaded = VectorIndex.load(tmp_path / "a.faiss")
    assert loaded is not None
    index, stamp = loaded
    assert stamp == STAMP
    np.testing.assert_array_equal(index.vectors([10, 20, 30]), rows)
    assert [path.name for path in tmp_path.iterdir()] == ["a.faiss"]  # no partial file is left


def test_every_flipped_byte_and_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.faiss"
    filled([10, 20, 30], random_units(3)).save(path, STAMP)
    good = path.read_bytes()
    stamp_at = len(good) - vectors._FOOTER.size
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x40
        path.write_bytes(bad)
        loaded = VectorIndex.load(path)
        # A damaged stamp is one that is not current: the index itself is whole.
        assert loaded is None or (position >= stamp_at and loaded[1] != STAMP)
    for length in range(len(good)):
        path.write_bytes(good[:length])
        assert VectorIndex.load(path) is None


def test_what_is_no_index_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.faiss"
    assert VectorIndex.load(path) is None
    path.mkdir()
    assert VectorIndex.load(path) is None
    foreign = tmp_path / "b.faiss"
    faiss.write_index(faiss.IndexFlatIP(4), str(foreign))
    assert VectorIndex.load(foreign) is None


def test_a_save_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.faiss"
    filled([1], random_units(1)).save(path, STAMP)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        filled([1, 2], random_units(2)).save(path, STAMP)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.faiss"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "images-1.faiss"
    for name in ("images-1.faiss.7.part", "images-1.faiss.8.part", "images-11.faiss.7.part"):
        (tmp_path / name).touch()
        if "8" not in name:
            os.utime(tmp_path / name, (1, 1))
    filled([1], random_units(1)).save(path, STAMP)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "images-1.faiss",
        "images-1.faiss.8.part",  # may be another process at work
        "images-11.faiss.7.part",
    ]
    vectors.remove_index_files(tmp_path, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["images-11.faiss.7.part"]


# --- the catalogue is the truth -------------------------------------------------------------------


class Shelf:
    """A catalogue with vectors of two models, and the folder with their index files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = Catalog.open(folder, create=True)
        with self.catalog.session() as session:
            session.add(Root(path="/photos"))
            session.add_all(
                Model(name=name, folder="/m", fingerprint=name, dim=DIM, added_at=utcnow()) for name in "ab"
            )

    def add(self, rows: NDArray[np.float32], model_id: int = 1) -> list[int]:
        """Adds a photo with a vector for each row; returns the ids of the vectors."""
        with self.catalog.session() as session:
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
        with self.catalog.session() as session:
            session.execute(delete(ImageVector).where(ImageVector.id.in_(ids)))

    def open(self) -> VectorIndex:
        return open_index(self.catalog, self.folder, "images", 1, DIM)

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
    monkeypatch.setattr(vectors, "_synchronise", None)  # calling it would raise
    assert shelf.open().ids.tolist() == ids


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "other dimension"])
def test_a_bad_file_is_made_again(shelf: Shelf, damage: str) -> None:
    rows = random_units(5)
    ids = shelf.add(rows)
    shelf.open()
    good = shelf.file.read_bytes()
    if damage == "missing":
        shelf.file.unlink()
    elif damage == "empty":
        shelf.file.write_bytes(b"")
    elif damage == "cut":
        shelf.file.write_bytes(good[: len(good) // 2])
    elif damage == "flipped":
        shelf.file.write_bytes(good[:60] + bytes([good[60] ^ 1]) + good[61:])
    else:
        filled(ids, random_units(5, dim=7)).save(shelf.file, STAMP)
    assert shelf.content(shelf.open()) == expected(ids, rows)
    assert shelf.file.read_bytes() == good


def test_a_stale_file_takes_over_what_changed(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_BLOCK", 2)  # five new vectors are three blocks
    rows = random_units(11)
    ids = shelf.add(rows[:6])
    shelf.open()
    shelf.remove(ids[1], ids[5])  # the newest one is among those that go
    ids += shelf.add(rows[6:])
    kept = [0, 2, 3, 4, 6, 7, 8, 9, 10]
    assert shelf.content(shelf.open()) == expected([ids[i] for i in kept], rows[kept])
    loaded = VectorIndex.load(shelf.file)
    assert loaded is not None and len(loaded[0]) == 9  # the file was written anew


def test_only_what_is_new_is_added(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add(random_units(5))
    shelf.open()
    new = shelf.add(random_units(2, seed=1))
    added: list[int] = []
    real = VectorIndex.add

    def add(self: VectorIndex, ids: Sequence[int], rows: NDArray[np.float32]) -> None:
        added.extend(ids)
        real(self, ids, rows)

    monkeypatch.setattr(VectorIndex, "add", add)
    shelf.open()
    assert added == new


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
