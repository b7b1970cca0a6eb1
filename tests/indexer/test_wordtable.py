"""The words of each photo follow whatever happens to it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexing import write_captions
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog import migrations
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Caption, Catalog, Corpus, Image, Root, utcnow
from twobranch.indexer.update.library import update_library

Row = tuple[str, str, str, str]


def stored(library: Path) -> dict[int, Row]:
    """The rows of the table by image id: name, folder, keywords and captions."""
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        return {id_: tuple(row) for id_, *row in connection.execute("SELECT rowid, * FROM words")}


def found(library: Path, word: str) -> list[int]:
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        rows = connection.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", [f'"{word}"'])
        return [id_ for (id_,) in rows]


def rebuilt(library: Path) -> dict[int, Row]:
    """What the table would hold if it were made from nothing."""
    copy = library.parent / "copy"
    copy.mkdir(exist_ok=True)
    with (
        closing(sqlite3.connect(library / CATALOG)) as original,
        closing(sqlite3.connect(copy / CATALOG)) as connection,
    ):
        original.backup(connection)
        connection.execute("DROP TABLE words")
    with closing(Catalog.open(copy)) as catalog, catalog.session(write=True):
        pass
    return stored(copy)


def test_names_folders_keywords_and_captions_have_a_column_each(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photo(tmp_path / "My Photos" / "Germany 2019" / "IMG_1.jpg", "red")
    (tmp_path / "My Photos" / "Germany 2019" / "IMG_1.txt").write_text("a red sunset\n")
    update_library(
        library, [tmp_path / "My Photos"], encoder, captions=tmp_path / "My Photos" / "Germany 2019"
    )
    # Above the folder that was indexed, folders are about the computer.
    assert stored(library) == {1: ("img 1", "my photos germany 2019", "", "a red sunset")}


def test_accents_and_case_make_no_difference(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photo(tmp_path / "photos" / "ZÜRICH.png", "red")
    update_library(library, [tmp_path / "photos"], encoder)
    assert found(library, "zurich") == found(library, "Zürich") == [1]


def test_words_follow_photos_and_captions(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    photos = tmp_path / "photos"
    write_photos(photos, {"a/one.png": "red", "a/two.png": "blue"})
    captions = write_captions(tmp_path / "captions.csv", {"one.png": "a dog", "two.png": "a cat"})
    update_library(library, [photos], encoder, captions=captions)
    assert stored(library)[1] == ("one", "photos a", "", "a dog")

    (photos / "a").rename(photos / "b")  # moved
    update_library(library, [photos], encoder)
    assert stored(library)[1] == ("one", "photos b", "", "a dog")

    write_captions(captions, {"one.png": "a wolf"})  # one changed, one removed
    update_library(library, [photos], encoder, captions=captions)
    assert [row[3] for row in stored(library).values()] == ["a wolf", ""]

    (photos / "b" / "one.png").unlink()  # removed
    update_library(library, [photos], encoder)
    assert list(stored(library)) == [2]
    assert found(library, "wolf") == []

    update_library(library, [tmp_path / "photos" / "b", tmp_path], encoder)  # a root above takes it over
    assert stored(library)[2][1].endswith(" photos b")
    assert stored(library) == rebuilt(library)


@pytest.mark.parametrize("seed", range(8))
def test_after_any_changes_the_table_is_what_a_rebuild_gives(library: Path, seed: int) -> None:
    rng = random.Random(seed)
    words = ("red", "Green Day", "blue_moon", "BeachParty", "2019-07-04")
    with closing(Catalog.open(library, create=True)) as catalog:
        with catalog.session(write=True) as session:
            session.add_all([Root(path="/photos"), Root(path="/more")])
            session.add(Corpus(path="/c.csv", format="csv", size=1, mtime_ns=1, added_at=utcnow()))
        for number in range(30):
            with catalog.session(write=True) as session:
                images = list(session.scalars(select(Image.id)))
                captions = list(session.scalars(select(Caption.id)))
                for _ in range(rng.randint(1, 3)):  # several changes in a transaction
                    change = rng.choice(("photo", "caption", "move", "keywords", "tie", "remove", "root"))
                    image, caption = rng.choice([*images, 0]), rng.choice([*captions, 0])
                    word = f"{rng.choice(words)}/{number}-{rng.random()}"
                    if change == "photo":
                        session.add(Image(root_id=1, path=word, size=1, mtime_ns=1, indexed_at=utcnow()))
                    elif change == "caption":
                        session.execute(
                            insert(Caption).values(
                                corpus_id=1, position=number, text=word, image_id=image or None
                            )
                        )
                    elif change == "move":
                        session.execute(
                            update(Image)
                            .where(Image.id == image)
                            .values(path=word, root_id=rng.choice((1, 2)))
                        )
                    elif change == "keywords":
                        session.execute(update(Image).where(Image.id == image).values(keywords=word))
                    elif change == "tie":
                        session.execute(
                            update(Caption).where(Caption.id == caption).values(image_id=image or None)
                        )
                    elif change == "remove":
                        table, id_ = rng.choice(((Image, image), (Caption, caption)))
                        session.execute(delete(table).where(table.id == id_))
                    else:
                        session.execute(update(Root).where(Root.id == 2).values(path=f"/{word}"))
                    images = list(session.scalars(select(Image.id)))
                    captions = list(session.scalars(select(Caption.id)))
    assert stored(library) == rebuilt(library)
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_a_transaction_that_fails_leaves_the_words_alone(library: Path, photos: Path) -> None:
    update_library(library, [photos], FakeEncoder())
    before = stored(library)
    with (
        closing(Catalog.open(library)) as catalog,
        pytest.raises(RuntimeError),
        catalog.session(write=True) as session,
    ):
        session.execute(update(Image).values(path="x/" + Image.path))
        raise RuntimeError
    assert stored(library) == before == rebuilt(library)


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE words",
        "DELETE FROM words_data WHERE id > 10",
        "DROP TABLE words_docsize",
        "DROP TABLE words_content",
        "UPDATE words_data SET block = x'00ff'",
        "DELETE FROM words WHERE rowid = 2",
    ],
)
def test_a_missing_or_damaged_table_is_made_anew(
    library: Path, photos: Path, encoder: FakeEncoder, damage: str
) -> None:
    update_library(library, [photos], encoder)
    before = stored(library)
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute(damage)
        connection.commit()
    report = update_library(library, [photos], encoder)
    assert (report.encoded, report.unchanged) == (0, 3)
    assert stored(library) == before
    assert found(library, "green") == [2]


def test_an_older_library_gets_its_words_at_the_next_index(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    library.mkdir()
    migrations.upgrade(library / CATALOG, migrations.MIGRATIONS[:1])
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("INSERT INTO roots (path) VALUES (?)", [str(photos)])
        connection.execute(
            "INSERT INTO images (root_id, path, size, mtime_ns, indexed_at)"
            " VALUES (1, 'old.png', 1, 1, '2024-01-01 00:00:00')"
        )
        connection.commit()
    CatalogReader.open(library).close()  # a search migrates it, and writes no words
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True):
        pass
    assert stored(library) == {1: ("old", "photos", "", "")}


def test_damage_that_a_write_meets_is_one_line(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("DROP TABLE words_content")
        connection.commit()
    with (
        pytest.raises(LibraryError, match=r"catalog\.sqlite: "),
        closing(Catalog.open(library)) as catalog,
        catalog.session(write=True) as session,
    ):
        session.execute(update(Image).values(keywords="new"))
