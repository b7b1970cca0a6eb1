"""A library that version 0.1 wrote, schema 1, as it was found on a disk: opened, migrated, and used."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import captions, check, counts, images, index
from twobranch.indexer.catalog.connection import CATALOG, open_database
from twobranch.indexer.catalog.migrations import LATEST, schema_version
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.maintenance.doctor import examine

FILE = Path(__file__).parent.parent / "data" / "catalog-v1.sqlite.gz"
PHOTOS = {"red.png": "red", "green.png": (0, 255, 0), "trip/blue.png": "blue"}


@pytest.fixture
def old(library: Path) -> bytes:
    """The catalogue of three photos, one file that is none and three captions; its folder is put here."""
    library.mkdir()
    (library / CATALOG).write_bytes(gzip.decompress(FILE.read_bytes()))
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("UPDATE roots SET path = ?", [str(library.parent / "photos")])
        connection.commit()
    for name, color in PHOTOS.items():
        write_photo(library.parent / "photos" / name, color)
    (library.parent / "photos" / "bad.jpg").write_bytes(b"no photo")
    return (library / CATALOG).read_bytes()


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return schema_version(connection)


def test_it_is_migrated_and_a_copy_is_kept(library: Path, old: bytes) -> None:
    open_database(library)
    assert version(library / CATALOG) == LATEST
    copy = library / f"{CATALOG}.v1.bak"
    assert version(copy) == 1
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM image_vectors").fetchall() == [(3,)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_nothing_of_it_is_lost(library: Path, old: bytes) -> None:
    report = index(library, [], FakeEncoder())  # which compares vectors with pixels
    assert counts(report) == {"unchanged": 3, "failed": 1}  # read again: the files are newer; not encoded
    assert sorted(images(library)) == ["photos/bad.jpg", *sorted(f"photos/{name}" for name in PHOTOS)]
    assert captions(library) == {
        "a red thing": "photos/red.png",
        "a blue thing at the lake": "photos/trip/blue.png",
        "nothing here": None,
    }
    with closing(CatalogReader.open(library)) as reader:
        assert reader.has_word("lake")  # the words came with schema 2


def test_looking_at_it_changes_nothing(library: Path, old: bytes) -> None:
    catalogue = next(one for one in examine(library) if one.part == "catalogue")
    assert (catalogue.fine, catalogue.found) == (
        True,
        f"schema 1; the next command upgrades it to {LATEST}, and keeps a copy",
    )
    assert (library / CATALOG).read_bytes() == old


def test_repair_takes_it_along(library: Path, old: bytes) -> None:
    examine(library, repair=True)
    assert version(library / CATALOG) == LATEST
    check(library)


def test_one_that_was_damaged_before_it_was_migrated_is_salvaged(library: Path, old: bytes) -> None:
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        ((page,),) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_captions_corpus'"
        )
        ((size,),) = connection.execute("PRAGMA page_size")
    data = bytearray(old)
    data[(page - 1) * size : page * size] = b"\xff" * size
    (library / CATALOG).write_bytes(data)
    done = next(one.done for one in examine(library, repair=True) if one.part == "catalogue")
    assert done is not None and "4 images" in done and "lost nothing" in done
    assert counts(index(library, [], FakeEncoder())) == {"unchanged": 3, "failed": 1}
