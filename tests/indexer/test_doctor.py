"""Damaged libraries, looked at and mended."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, select

from tests.fakes import FakeEncoder, write_photos
from tests.indexing import captions, check, images, index, photo_index, write_captions
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.lock import LOCK, indexing_lock
from twobranch.indexer.catalog.migrations import LATEST
from twobranch.indexer.catalog.tables import Catalog, Image
from twobranch.indexer.maintenance.doctor import Finding, examine
from twobranch.indexer.update.library import update_library
from twobranch.indexer.vectors import index as galleries
from twobranch.indexer.vectors.exact import index_file
from twobranch.indexer.vectors.ivf import lists_file

N = 60


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The photos of a library with 60 of them and a caption for each."""
    photos = tmp_path / "photos"
    write_photos(photos, {f"{n % 3}/{n:02}.png": (4 * n, 255 - 4 * n, 100) for n in range(N)})
    write_captions(tmp_path / "c.csv", {f"{n % 3}/{n:02}.png": f"red thing {n}" for n in range(N)})
    index(tmp_path / ".twobranch", photos, FakeEncoder(), captions=tmp_path / "c.csv")
    return photos


def wrong(findings: list[Finding]) -> dict[str, str]:
    """What is wrong, by part. The fake model has no folder, which is no news here."""
    return {one.part: one.found for one in findings if not one.fine and one.part != "model"}


def repaired(library: Path) -> dict[str, str]:
    """What a repair did, by part; afterwards nothing is wrong any more."""
    done = {one.part: one.done for one in examine(library, repair=True) if one.done is not None}
    assert wrong(examine(library)) == {}
    return done


def sql(library: Path, *statements: str) -> None:
    """Does what no program of ours does, past foreign keys."""
    with closing(sqlite3.connect(library / "catalog.sqlite")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def flip(path: Path, at: int, bit: int = 6) -> None:
    """Flips a bit as a failing disk does: the file's time stays."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


# --- looking -----------------------------------------------------------------------------------------


def test_a_sound_library_is_fine_and_stays_as_it_is(place: Path, library: Path) -> None:
    before = digests(library)
    findings = examine(library)
    assert {one.part: one.found for one in findings if one.part != "model"} == {
        "lock": "not in use",
        "catalogue": f"60 photos, 60 captions, schema {LATEST}",
        "words": "complete for all photos",
        "vectors": "120, all of length 1",
        "index of images": "60 vectors, the same as in the catalogue",
        "index of captions": "60 vectors, the same as in the catalogue",
        "leftovers": "none",
    }
    assert wrong(findings) == {}
    assert digests(library) == before
    assert repaired(library) == {}


def test_an_index_that_is_older_than_the_catalogue_is_fine(place: Path, library: Path) -> None:
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True) as session:
        session.execute(delete(Image).where(Image.id == 1))
    found = {one.part: one for one in examine(library)}
    assert found["index of images"].fine and found["index of images"].found.startswith("older")


def test_what_is_not_made_yet_is_fine(place: Path, library: Path) -> None:
    for kind in ("images", "captions"):
        index_file(library, kind, 1).unlink()
    assert wrong(examine(library)) == {}


def test_a_library_at_work_is_left_alone(place: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twobranch.indexer.catalog.lock.PATIENCE", 0)
    with indexing_lock(library), pytest.raises(LibraryError, match="another `index` is at work"):
        examine(library)


def test_a_library_of_a_newer_program_is_refused_and_left_alone(place: Path, library: Path) -> None:
    sql(library, "PRAGMA user_version = 99")
    before = digests(library)
    with pytest.raises(LibraryError, match="update twobranch"):
        examine(library, repair=True)
    assert digests(library) == before


def test_no_library_is_made(library: Path) -> None:
    with pytest.raises(LibraryError, match="`index PATH` creates a library"):
        examine(library, repair=True)
    assert not library.exists()


# --- what only looks like a catalogue ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "found", "done"),
    [
        (
            "UPDATE images SET taken_at = '2020:02:03 04:05:06' WHERE id = 5",
            "1 invalid values of taken_at in images",
            "1 values emptied, 0 rows deleted",
        ),
        (
            "UPDATE images SET width = x'00ff' WHERE id < 4",
            "3 invalid values of width in images",
            "3 values emptied, 0 rows deleted",
        ),
        (
            "UPDATE captions SET text = CAST(x'726564ff' AS TEXT) WHERE id = 5",
            "1 invalid values of text in captions",
            "0 values emptied, 1 rows deleted",  # and its vector with it
        ),
        (
            "DELETE FROM captions WHERE id = 5",
            "1 rows without their captions in caption_vectors",
            "0 values emptied, 1 rows deleted",
        ),
        (
            "DELETE FROM images WHERE id = 5",
            "1 rows without their images in captions; 1 rows without their images in image_vectors",
            "1 values emptied, 1 rows deleted",
        ),
        (
            "UPDATE settings SET value = '{\"named' WHERE key = 'folders'",
            "1 unreadable values in settings",
            "0 values emptied, 1 rows deleted",
        ),
        (
            "UPDATE settings SET value = '7' WHERE key = 'active_model'",
            "1 unreadable values in settings",
            "0 values emptied, 1 rows deleted",
        ),
    ],
)
def test_values_and_references(place: Path, library: Path, statement: str, found: str, done: str) -> None:
    sql(library, statement)
    assert wrong(examine(library))["catalogue"] == found
    assert repaired(library)["catalogue"] == done
    index(library, place, FakeEncoder())  # and all is as it was
    assert len(images(library)) == N


def test_a_trigger_that_is_missing(place: Path, library: Path) -> None:
    """Without it words would go out of date in silence. The new catalogue has it, and all rows of the old."""
    sql(library, "DROP TRIGGER words_image_added")
    assert wrong(examine(library))["catalogue"] == "differs from its schema: words_image_added"
    done = repaired(library)["catalogue"]
    assert "60 images, 1 corpora, 60 captions, 60 image_vectors, 60 caption_vectors; lost nothing" in done
    check(library)
    assert len(captions(library)) == N


def test_ids_are_not_given_out_again_after_a_salvage(place: Path, library: Path) -> None:
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True) as session:
        session.execute(delete(Image).where(Image.id > 50))
    sql(library, "DROP TRIGGER words_image_added")
    repaired(library)
    index(library, place, FakeEncoder())
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        # 50 are as they were, and ten came back: not as 51 to 60.
        assert sorted(session.scalars(select(Image.id))) == [*range(1, 51), *range(61, 71)]


# --- words, vectors, index files, the rest -----------------------------------------------------------


def test_words_that_are_missing_or_damaged(place: Path, library: Path) -> None:
    for statement in ("DELETE FROM words WHERE rowid = 5", "DELETE FROM words_data WHERE id > 100"):
        sql(library, statement)
        before = digests(library)
        assert wrong(examine(library)) == {"words": "damaged, or some photos are missing"}
        assert digests(library) == before
        assert repaired(library) == {"words": "built again for 60 photos"}


def test_broken_vectors_are_removed_and_encoded_again(place: Path, library: Path) -> None:
    sql(
        library,
        "UPDATE image_vectors SET vector = zeroblob(16) WHERE id = 3",  # of length 0
        "UPDATE image_vectors SET vector = x'00' WHERE id = 4",  # of no dimension
        "UPDATE image_vectors SET vector = x'0000c07f0000000000000000000000ff' WHERE id = 5",  # not a number
        "UPDATE caption_vectors SET vector = zeroblob(20) WHERE id = 6",
    )
    found = wrong(examine(library))
    assert found["vectors"].startswith("3 of images and 1 of captions are damaged")
    assert repaired(library)["vectors"] == "4 removed; run `index`"
    report = index(library, place, FakeEncoder())  # which compares vectors with pixels
    assert report.encoded == 3
    assert len(photo_index(library)) == N


def test_a_vector_that_the_index_file_knows_better(place: Path, library: Path) -> None:
    """Of length 1 still, and another photo's; damaged by a disk, and not by a program."""
    path = library / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT vector FROM image_vectors WHERE id IN (8, 9) ORDER BY id"
        ).fetchall()
    data = path.read_bytes()
    assert data.count(rows[0][0]) == 1
    path.write_bytes(data.replace(rows[0][0], rows[1][0]))
    assert wrong(examine(library)) == {
        "index of images": "1 vectors of the catalogue differ from those in images-1.vectors"
    }
    assert repaired(library) == {"index of images": "1 removed; run `index`"}
    assert index(library, place, FakeEncoder()).encoded == 1


def test_a_bit_of_an_index_file_that_no_search_would_notice(place: Path, library: Path) -> None:
    path = index_file(library, "images", 1)
    good = path.read_bytes()
    flip(path, 200)
    assert wrong(examine(library)) == {"index of images": "images-1.vectors is damaged"}
    assert repaired(library) == {"index of images": "rebuilt with 60 vectors"}
    assert path.read_bytes()[128:] == good[128:]  # the header has the time


@pytest.fixture
def lists(place: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of inverted lists that a library of 60 photos has where 20 are many."""
    monkeypatch.setattr(galleries, "LARGE", 20)
    update_library(library, [place], FakeEncoder())
    return lists_file(library, "images", 1)


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_inverted_lists(place: Path, library: Path, lists: Path, suffix: str) -> None:
    assert wrong(examine(library)) == {}
    path = lists.with_name(lists.name + suffix)
    flip(path, path.stat().st_size // 2, bit=0)
    assert wrong(examine(library)) == {"index of images": "images-1.ivf is damaged, or of another catalogue"}
    assert repaired(library) == {"index of images": "deleted"}
    assert not lists.exists()
    update_library(library, [place], FakeEncoder())
    assert lists.exists() and wrong(examine(library)) == {}


def test_index_notices_a_flipped_bit_in_lists_and_builds_them_again(
    place: Path, library: Path, lists: Path
) -> None:
    good = lists.read_bytes()
    flip(lists, len(good) // 2)
    update_library(library, [place], FakeEncoder())
    assert lists.read_bytes() == good


def test_index_notices_a_flipped_bit_that_left_the_time_alone(place: Path, library: Path) -> None:
    path = index_file(library, "images", 1)
    flip(path, 200)
    assert photo_index(library).rows[4, 2] != photo_index(library).rows[5, 2]  # it is searched
    index(library, place, FakeEncoder())  # which compares what is searched with the pixels
    assert np.array_equal(photo_index(library).rows[:, 3] > 0, np.ones(N, dtype=bool))


def test_leftovers_of_killed_processes(place: Path, library: Path) -> None:
    (library / "images-1.vectors.4711.part").write_bytes(b"half")
    assert "1 unfinished files" in wrong(examine(library))["leftovers"]
    assert repaired(library) == {"leftovers": "deleted"}


def test_a_damaged_lock(place: Path, library: Path) -> None:
    (library / LOCK).write_bytes(b"garbage " * 2000)
    with pytest.raises(LibraryError, match="`doctor --repair`"):
        index(library, place, FakeEncoder())
    assert wrong(examine(library)) == {"lock": "damaged: no `index` can start"}
    assert repaired(library) == {"lock": "deleted"}
    index(library, place, FakeEncoder())


def test_the_log_of_a_killed_process_is_read_and_left_alone(place: Path, library: Path) -> None:
    """A write-ahead log that nobody folded into the file yet."""
    with closing(sqlite3.connect(library / "catalog.sqlite")) as connection:
        connection.execute("UPDATE images SET camera = 'Canon' WHERE id = 1")
        connection.commit()
        files = {name: (library / name).read_bytes() for name in ("catalog.sqlite", "catalog.sqlite-wal")}
    for name, data in files.items():
        (library / name).write_bytes(data)
    assert wrong(examine(library)) == {}
    assert {name: (library / name).read_bytes() for name in files} == files
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        assert session.scalars(select(Image.camera).where(Image.id == 1)).all() == ["Canon"]


def test_a_full_disk_during_a_salvage_loses_nothing(
    place: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file may not take the place of the damaged one with the rows that still found room."""
    sql(library, "DROP TRIGGER words_image_added", "UPDATE captions SET text = hex(zeroblob(20000))")  # 2 MB
    before = digests(library)
    real = sqlite3.connect

    def connect(path: object, *args: object, **options: object) -> sqlite3.Connection:
        connection = real(path, *args, **options)  # type: ignore[arg-type]
        if str(path).endswith(".part"):
            connection.execute("PRAGMA max_page_count = 60")  # SQLite then says what it says of a full disk
        return connection

    monkeypatch.setattr("twobranch.indexer.maintenance.salvage.sqlite3.connect", connect)
    with pytest.raises(LibraryError, match=r"full; free some space"):
        examine(library, repair=True)
    assert digests(library) == before


def test_a_damaged_id_costs_no_time(place: Path, library: Path) -> None:
    """A row whose id is 2 to the 60: nobody looks for rows at all the ids below."""
    sql(library, "INSERT INTO settings (rowid, key, value) VALUES (1 << 60, 'x', '{}')")
    sql(library, "DROP TRIGGER words_image_added")
    assert "60 image_vectors, 60 caption_vectors" in repaired(library)["catalogue"]


def test_a_table_whose_first_page_is_gone_is_given_up_at_once(place: Path, library: Path) -> None:
    """With the page that counts ids gone as well nobody knows how high to look, nor how many there were."""
    path = library / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'captions' OR name = 'sqlite_sequence'"
        pages = [page for (page,) in connection.execute(query)]
    data = bytearray(path.read_bytes())
    for page in pages:
        data[(page - 1) * 16384 : page * 16384] = bytes(16384)
    path.write_bytes(data)
    started = time.process_time()
    done = repaired(library)["catalogue"]
    assert "60 images" in done and "lost an unknown number of captions" in done
    assert time.process_time() - started < 5  # down to each id it takes a minute


@pytest.mark.parametrize("version", [0x8000 | LATEST, LATEST - 0x80000000, 1, 2])
def test_a_flipped_bit_in_the_schema_version_is_damage(place: Path, library: Path, version: int) -> None:
    sql(library, f"PRAGMA user_version = {version}")
    with pytest.raises(LibraryError, match="doctor --repair"):
        Catalog.open(library)
    tables = f", with the tables of schema {LATEST}" if version in (1, 2) else ""
    assert wrong(examine(library)) == {"catalogue": f"damaged: schema {version}{tables}"}
    assert "lost nothing" in repaired(library)["catalogue"]
    check(library)
