"""Index files of other histories: a catalogue that was deleted, restored, or set back by a power cut."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexer.test_vectors import Shelf, random_units
from tests.indexing import index
from twobranch.indexer.catalog import vector_states as states
from twobranch.indexer.catalog.connection import CATALOG, connect
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import sqlite_connection
from twobranch.indexer.catalog.vector_states import current_state, note_states, was_state
from twobranch.indexer.update.library import update_library
from twobranch.indexer.vectors import exact as vectors
from twobranch.indexer.vectors import index as galleries
from twobranch.indexer.vectors.exact import index_file
from twobranch.indexer.vectors.index import open_index
from twobranch.indexer.vectors.ivf import LargeIndex, lists_file
from twobranch.retrieval.engine import SearchEngine

N = 80  # more than the 64 newest vectors that a stamp once was made of


@pytest.fixture
def many(tmp_path: Path, library: Path) -> Path:
    """A folder of 80 photos that are indexed."""
    folder = tmp_path / "photos"
    write_photos(folder, {f"{n:02}.png": (3 * n, 250 - 3 * n, 9) for n in range(N)})
    index(library, folder, FakeEncoder())
    return folder


def copied(library: Path, to: Path) -> None:
    """Copies the catalogue alone, as a backup of it would."""
    with closing(sqlite3.connect(library / CATALOG)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def put_back(library: Path, backup: Path) -> None:
    delete(library)
    shutil.copy(backup, library / CATALOG)


def delete(library: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (library / f"{CATALOG}{suffix}").unlink(missing_ok=True)


def scores(library: Path) -> dict[str, float]:
    with SearchEngine.open(library, load=lambda model: FakeEncoder()) as engine:  # type: ignore[arg-type,return-value]
        return {Path(str(hit.path)).name: hit.score for hit in engine.search("red", top=2 * N)}


def fresh(folder: Path, tmp_path: Path) -> dict[str, float]:
    """The scores of a library that is made of these photos now."""
    other = tmp_path / "fresh"
    index(other, folder, FakeEncoder())
    return scores(other)


# What becomes of the catalogue alone between two runs of `index`; ``old`` is a copy from before the last one.
FATES: dict[str, Callable[[Path, Path], None]] = {
    "deleted": lambda library, old: delete(library),
    "restored": put_back,
}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("overwritten", [0, 40, N - 1])
def test_no_vector_of_another_history_is_searched(
    fate: str, overwritten: int, many: Path, library: Path, tmp_path: Path
) -> None:
    copied(library, tmp_path / "old.sqlite")
    write_photos(many, {f"new/{n:02}.png": (9, n, 3 * n) for n in range(N)})
    index(library, many, FakeEncoder())
    FATES[fate](library, tmp_path / "old.sqlite")
    write_photo(many / f"{overwritten:02}.png", "red")
    index(library, many, FakeEncoder())  # which compares what is searched with the pixels
    assert scores(library) == fresh(many, tmp_path)


def test_the_same_photos_and_ids_again(many: Path, library: Path, tmp_path: Path) -> None:
    """The issue's own case: as many vectors, with the same ids, the newest 64 the same."""
    delete(library)
    write_photo(many / "00.png", "red")
    index(library, many, FakeEncoder())
    assert scores(library)["00.png"] == pytest.approx(1, abs=1e-3)
    assert scores(library) == fresh(many, tmp_path)


def test_a_search_alone_does_not_take_it_either(many: Path, library: Path, tmp_path: Path) -> None:
    """Restored and indexed where the index files could not be written; then they can."""
    file = index_file(library, "images", 1)
    kept = tmp_path / "kept.vectors"
    shutil.copy2(file, kept)  # with its time: nothing looks damaged
    delete(library)
    write_photo(many / "00.png", "red")
    index(library, many, FakeEncoder())
    shutil.copy2(kept, file)
    assert scores(library) == fresh(many, tmp_path)


def test_lists_of_another_history(
    many: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(galleries, "LARGE", 20)
    update_library(library, [many], FakeEncoder())
    kept = tmp_path / "kept"
    shutil.copytree(library, kept)
    delete(library)
    write_photo(many / "00.png", "red")
    update_library(library, [many], FakeEncoder())
    with closing(CatalogReader.open(library)) as reader:
        assert isinstance(open_index(reader, "images", 1, 4), LargeIndex)
        for name in ("images-1.ivf", "images-1.ivf.json", "images-1.tail"):
            shutil.copy2(kept / name, library / name)
        assert not isinstance(open_index(reader, "images", 1, 4), LargeIndex)
    update_library(library, [many], FakeEncoder())
    assert lists_file(library, "images", 1).read_bytes() != (kept / "images-1.ivf").read_bytes()
    found = scores(library)
    monkeypatch.setattr(galleries, "LARGE", 10**6)  # looked through exactly
    assert found == pytest.approx(fresh(many, tmp_path))


def test_of_a_library_of_schema_2_every_index_file_is_made_again_once(
    many: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files may be of any history: that is what they could not tell."""
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%vector%'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DROP TABLE vector_states")
        connection.execute("DROP TABLE past_vector_states")
        connection.execute("ALTER TABLE images DROP COLUMN identity")
        for statement in (
            "DROP TRIGGER marks_content_changed",
            "DROP TRIGGER marks_content_lost",
            *(f"DROP TABLE {name}" for name in ("marks", "album_photos", "albums", "saved_searches")),
            "DROP TABLE last_contents",
            "DROP TABLE region_vectors",
            "DROP TRIGGER repeats_caption_added",
            "DROP TRIGGER repeats_caption_changed",
            "DROP TABLE stale_captions",
            "DROP INDEX ix_captions_same_as",
            "ALTER TABLE captions DROP COLUMN same_as",
            "ALTER TABLE corpora DROP COLUMN failure",
        ):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 2")
    file = index_file(library, "images", 1)
    data = bytearray(file.read_bytes())
    data[7] = 1  # the format before
    data[128:144] = data[144:160]  # one photo's vector is another's
    file.write_bytes(data)
    index(library, many, FakeEncoder())  # which compares what is searched with the pixels
    monkeypatch.setattr(vectors, "write_vectors", None)  # calling it would raise
    assert len(scores(library)) == N


# --- states -------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(library: Path) -> Shelf:
    shelf = Shelf(library)
    shelf.add(random_units(3))
    return shelf


def state(shelf: Shelf, kind: str = "images", model_id: int = 1) -> bytes | None:
    with closing(connect(shelf.catalog.path)) as connection:
        return current_state(connection, kind, model_id)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO image_vectors (model_id, image_id, vector) VALUES (1, 4, x'00')",
        "DELETE FROM image_vectors WHERE id = 1",
        "DELETE FROM image_vectors",
        "DELETE FROM images WHERE id = 1",  # and its vector with it
        "DELETE FROM roots",
        "UPDATE image_vectors SET vector = x'00' WHERE id = 2",
        "REPLACE INTO image_vectors (id, model_id, image_id, vector) VALUES (2, 1, 2, x'00')",
    ],
)
def test_whatever_changes_vectors_changes_their_state(shelf: Shelf, statement: str) -> None:
    """Also by statements that no program of ours has, and that of no other vectors."""
    with closing(connect(shelf.catalog.path)) as connection:
        connection.execute(
            "INSERT INTO images (id, root_id, path, size, mtime_ns, indexed_at)"
            " SELECT 4, root_id, 'd', 0, 0, indexed_at FROM images WHERE id = 1"
        )
        others = [state(shelf, "captions"), state(shelf, "images", 2)]
        before = state(shelf)
        connection.execute(statement)
        after = state(shelf)
        assert None not in (before, after) and before != after
        assert [state(shelf, "captions"), state(shelf, "images", 2)] == others


def test_what_changes_no_vectors_leaves_the_state_and_writes_nothing(shelf: Shelf) -> None:
    before = state(shelf)
    with closing(connect(shelf.catalog.path)) as connection:
        connection.execute("UPDATE images SET camera = 'x'")
        ((version,),) = connection.execute("PRAGMA data_version")
        with shelf.catalog.session(write=True):
            pass
        assert connection.execute("PRAGMA data_version").fetchall() == [(version,)]
    assert state(shelf) == before


def test_a_past_state_is_known_and_a_changed_vector_ends_that(shelf: Shelf) -> None:
    before = state(shelf)
    assert before is not None
    shelf.add(random_units(1))
    with shelf.catalog.session(write=True) as session:
        connection = sqlite_connection(session)
        assert was_state(connection, "images", 1, before)
        assert not was_state(connection, "captions", 1, before)
        assert not was_state(connection, "images", 2, before)
        connection.execute("UPDATE image_vectors SET vector = x'00' WHERE id = 1")
        assert not was_state(connection, "images", 1, before)


def test_old_states_are_forgotten(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_KEPT", 5)
    first = state(shelf)
    for n in range(10):
        shelf.add(random_units(1, seed=n))
    last = state(shelf)
    assert first is not None and last is not None
    with closing(connect(shelf.catalog.path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM past_vector_states").fetchall() == [(5,)]
        assert was_state(connection, "images", 1, last)
        assert not was_state(connection, "images", 1, first)


def test_a_state_that_is_missing_costs_a_search_the_file_and_comes_back(shelf: Shelf) -> None:
    shelf.open()
    with closing(connect(shelf.catalog.path)) as connection:
        connection.execute("DELETE FROM vector_states")
        assert np.array_equal(shelf.open().rows, random_units(3))
        note_states(connection)
        assert state(shelf) is not None
    assert np.array_equal(shelf.open().rows, random_units(3))
