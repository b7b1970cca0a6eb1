"""A flipped bit in the text of the catalogue's schema: said in one line, and all data come back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photos
from tests.indexing import check, write_captions
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.migrations import MIGRATIONS
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.maintenance.doctor import catalogue_damage, examine
from twobranch.indexer.update.library import update_library

N = 5
TABLES = ("roots", "models", "settings", "images", "corpora", "captions", "image_vectors", "caption_vectors")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("schema")
    write_photos(place / "photos", {f"{n}.png": (40 * n, 0, 9) for n in range(N)})
    captions = write_captions(place / "c.csv", {f"{n}.png": f"red thing {n}" for n in range(N)})
    update_library(place / ".twobranch", [place / "photos"], FakeEncoder(), captions=captions)
    return place


@pytest.fixture
def library(place: Path) -> Iterator[Path]:
    """A copy of the library, to be damaged; its photos lie where they were."""
    copy = place / "damaged"
    shutil.copytree(place / ".twobranch", copy)
    yield copy
    shutil.rmtree(copy)


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def letters(path: Path) -> list[int]:
    """Where in the file a letter of the schema lies."""
    data = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        texts = connection.execute("SELECT type || name || tbl_name, sql FROM sqlite_master").fetchall()
    places: list[int] = []
    for names, sql in texts:  # which follow one another, with the number of the first page between
        at = data.index(names.encode())
        places += [at + i for i in range(len(names)) if names[i].isalpha()]
        if sql:
            at = data.index(sql.encode(), at)
            places += [at + i for i in range(len(sql)) if sql[i].isalpha()]
    return places


def damage(library: Path, at: int, bit: int) -> None:
    with (library / CATALOG).open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ bit]))


def assert_mended(place: Path, library: Path, at: int) -> None:
    findings = {one.part: one for one in examine(library, repair=True)}
    catalogue = findings["catalogue"]
    assert catalogue.done is not None and "lost nothing" in catalogue.done, (at, catalogue)
    assert rows(library / CATALOG) == rows(place / ".twobranch" / CATALOG), at
    assert [one.part for one in examine(library) if not one.fine] == ["model"], at  # a fake one
    check(library)


@pytest.mark.parametrize("start", range(5))
def test_a_letter_that_is_none_any_more(place: Path, library: Path, start: int) -> None:
    """0x80 makes no UTF-8 of it: SQLite quotes it, or knows a table by it. A sample of all letters; in
    tests/torture there are more."""
    whole = (library / CATALOG).read_bytes()
    at_letters = letters(place / ".twobranch" / CATALOG)
    assert len(at_letters) > 5000
    for at in at_letters[start * 211 :: 1055]:
        for file in library.iterdir():
            if file.name.startswith(CATALOG):
                file.unlink()
        (library / CATALOG).write_bytes(whole)
        damage(library, at, 0x80)
        for opened in (Catalog.open, CatalogReader.open):
            with pytest.raises(LibraryError, match=r"catalog\.sqlite: .*`doctor --repair`"):
                opened(library)
        said = catalogue_damage(library)
        assert said is not None and "`doctor --repair`" in said, at
        assert_mended(place, library, at)


@pytest.mark.parametrize(
    "word", ["CREATE TABLE roots", "path TEXT", "REFERENCES roots", "model_id INTEGER NOT"]
)
@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
def test_words_that_matter(place: Path, library: Path, word: str, bit: int) -> None:
    """Also where the damage leaves text: another name of a column, or no statement."""
    at = (library / CATALOG).read_bytes().index(word.encode()) + len(word) - 4
    damage(library, at, bit)
    assert catalogue_damage(library) is not None
    assert_mended(place, library, at)


def test_of_a_library_that_was_migrated(place: Path, tmp_path: Path) -> None:
    """Its tables begin at other pages than those of a new one."""
    library = tmp_path / ".twobranch"
    library.mkdir()
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("PRAGMA page_size = 16384")
        for statement in (text for one in MIGRATIONS[:2] for text in one.statements):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 2")
        connection.execute("ATTACH ? AS other", [str(place / ".twobranch" / CATALOG)])
        for table in TABLES:
            names = ", ".join(name for _, name, *_ in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM other.{table}")
        connection.commit()
    sound = tmp_path / "sound"
    shutil.copytree(library, sound)
    Catalog.open(sound).close()
    expected = rows(sound / CATALOG)
    for name in ("before it is", "after it was"):
        if name == "after it was":
            Catalog.open(library).close()
        whole = (library / CATALOG).read_bytes()
        damage(library, whole.index(b"CREATE TABLE images") + len("CREATE TABLE im"), 0x80)
        done = {one.part: one.done for one in examine(library, repair=True)}["catalogue"]
        assert done is not None and "lost nothing" in done
        assert rows(library / CATALOG) == expected
        (library / CATALOG).write_bytes(whole)
