"""Giving disk space back."""

from __future__ import annotations

import shutil
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photos
from tests.indexing import check, counts, index
from twobranch.common.errors import LibraryError, UserError
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.catalog.tables import Catalog, sqlite_connection
from twobranch.indexer.maintenance.relocate import forget
from twobranch.indexer.maintenance.vacuum import vacuum
from twobranch.indexer.update.library import update_library
from twobranch.indexer.vectors import index as galleries
from twobranch.indexer.vectors import ivf as approximate
from twobranch.retrieval.engine import SearchEngine

Usage = namedtuple("Usage", "total used free")


def size(library: Path) -> int:
    return sum(file.stat().st_size for file in library.iterdir())


def test_what_was_forgotten_is_given_back(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(tmp_path, {f"p/{n}.png": (n % 256, n // 256, 9) for n in range(400)} | {"q/a.png": "red"})
    index(library, [tmp_path / "p", tmp_path / "q"], encoder)
    forget(library, [tmp_path / "p"])
    freed = vacuum(library)
    assert freed.after == size(library)
    assert freed.bytes >= 2 * 16384  # pages of the rows of 400 photos
    check(library)
    assert counts(index(library, [], encoder)) == {"unchanged": 1}
    assert vacuum(library).bytes == 0


def test_index_files_that_nothing_reads_are_removed(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    # Of a model that is gone, of one that is not active, of lists that the gallery is too small for, and of
    # a process that was killed.
    unused = ["captions-7.vectors", "images-1.ivf", "images-1.tail", "images-1.vectors.99.part"]
    for name in unused:
        (library / name).write_bytes(b"x")
    index(library, photos, FakeEncoder("other", "other"))
    assert list(vacuum(library).removed) == sorted([*unused, "captions-1.vectors", "images-1.vectors"])
    assert {file.name for file in library.glob("*-*")} >= {"captions-2.vectors", "images-2.vectors"}
    check(library)
    assert counts(index(library, photos, encoder)) == {"unchanged": 3}  # the vectors were kept


def test_of_a_large_gallery_the_lists_stay(
    library: Path, tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(galleries, "LARGE", 300)
    monkeypatch.setattr("twobranch.indexer.maintenance.vacuum.LARGE", 300)
    monkeypatch.setattr(approximate, "TRAINING_A_LIST", 4)
    write_photos(tmp_path, {f"p/{n}.png": (n % 256, n // 256, 9) for n in range(300)})
    update_library(library, [tmp_path / "p"], encoder)
    (library / "images-1.vectors").write_bytes(b"of an --exact search")
    assert vacuum(library).removed == ("images-1.vectors",)
    assert {file.name for file in library.glob("images-*")} == {
        "images-1.ivf",
        "images-1.ivf.json",
        "images-1.tail",
    }


def test_a_full_disk_and_a_running_index_are_said(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(library, photos, encoder)
    monkeypatch.setattr("twobranch.indexer.catalog.lock.PATIENCE", 0)
    with indexing_lock(library), pytest.raises(LibraryError, match="another `index`"):
        vacuum(library)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 1000))
    with pytest.raises(UserError, match="0 MB are free; free some space"):
        vacuum(library)


def test_no_word_of_a_removed_photo_stays_in_the_file(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    """FTS5 only marks words as deleted, until it merges them with others."""
    write_photos(photos, {"secretname.png": "white"})
    index(library, photos, encoder)
    (photos / "secretname.png").unlink()
    index(library, photos, encoder)
    vacuum(library)
    assert b"secretname" not in (library / "catalog.sqlite").read_bytes()
    check(library)


def test_damaged_words_do_not_keep_a_library_from_being_compacted(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True) as session:
        connection = sqlite_connection(session)
        connection.execute("UPDATE words_data SET block = x'00' WHERE id > 10")
    vacuum(library)
    index(library, photos, encoder)  # makes them anew
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        assert "green" in engine.written_words("green")
