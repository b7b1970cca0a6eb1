"""Pairs of close vectors, as comparing each with each finds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes import RecordedProgress
from tests.indexer.test_galleries import DIM, LargeShelf, N
from tests.indexer.test_vectors import filled, random_units
from twobranch.common.progress import SILENT
from twobranch.indexer.vectors import index as galleries
from twobranch.indexer.vectors import neighbours
from twobranch.indexer.vectors.exact import VectorIndex
from twobranch.indexer.vectors.ivf import LargeIndex
from twobranch.indexer.vectors.neighbours import near_pairs


def with_copies(n: int, dim: int = 16) -> NDArray[np.float32]:
    """(2n, dim) random unit rows, each row of the first half again in the second: cosine 0.99."""
    rows = random_units(n, dim=dim)
    near = rows + 0.035 * np.random.default_rng(1).normal(size=rows.shape)
    return np.concatenate([rows, near / np.linalg.norm(near, axis=1, keepdims=True)]).astype(np.float32)


def pairs(found: neighbours.Pairs) -> list[tuple[int, int]]:
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


@pytest.mark.parametrize(("rows", "columns"), [(1024, 16_384), (7, 16)])
def test_every_close_pair_once(rows: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_ROWS", rows)
    monkeypatch.setattr(neighbours, "_COLUMNS", columns)
    vectors = with_copies(40)
    ids = np.random.default_rng(2).permutation(1000)[:80]
    close = np.argwhere(np.triu(vectors @ vectors.T, 1) >= 0.9)
    expected = sorted(tuple(sorted(ids[pair].tolist())) for pair in close)
    assert len(expected) >= 40
    progress = RecordedProgress()
    assert pairs(near_pairs(filled(ids, vectors), 0.9, progress)) == expected
    assert (progress.work, progress.done) == ([("comparing vectors", 80)], [80])


def test_what_is_left_out_is_in_no_pair() -> None:
    index = filled([1, 2, 3], np.repeat(random_units(1), 3, axis=0))
    assert pairs(near_pairs(index, 0.9, SILENT)) == [(1, 2), (1, 3), (2, 3)]
    assert pairs(near_pairs(index, 0.9, SILENT, without=[2])) == [(1, 3)]
    assert pairs(near_pairs(VectorIndex.empty(4), 0.9, SILENT)) == []


def test_a_thousand_photos_of_one_scene_are_not_half_a_million_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST", 3)
    monkeypatch.setattr(neighbours, "_ROWS", 10)
    monkeypatch.setattr(neighbours, "_COLUMNS", 10)
    angles = np.radians(np.arange(20) ** 1.1)
    index = filled(range(20), np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    # The angles grow, so of those behind it each has the next three closest.
    expected = [(i, j) for i in range(20) for j in range(i + 1, min(i + 4, 20))]
    assert pairs(near_pairs(index, 0.5, SILENT)) == expected


@pytest.fixture
def shelf(library: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LargeShelf]:
    monkeypatch.setattr(galleries, "LARGE", N // 2)
    shelf = LargeShelf(library)
    with closing(shelf.catalog), closing(shelf.reader):
        yield shelf


def test_lists_and_their_tail(shelf: LargeShelf) -> None:
    copies = shelf.add(shelf.rows[:3])  # newer than the lists
    twice = shelf.add(np.concatenate([random_units(1, dim=DIM, seed=8)] * 2))
    shelf.remove(shelf.ids[2])
    index = shelf.index()
    assert isinstance(index, LargeIndex) and len(index.tail) == 5
    found = pairs(near_pairs(index, 0.995, SILENT))
    assert {(shelf.ids[0], copies[0]), (shelf.ids[1], copies[1]), tuple(twice)} <= set(found)
    assert (shelf.ids[0], copies[0]) not in pairs(near_pairs(index, 0.995, SILENT, without=[copies[0]]))
