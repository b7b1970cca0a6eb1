"""Ratings, favourites and albums, and what they live through."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexing import images, index
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.albums import (
    add_to_album,
    album_photos,
    albums_of,
    all_albums,
    check_albums,
    create_album,
    delete_album,
    remove_from_album,
    rename_album,
)
from twobranch.indexer.catalog.collection_names import NameTakenError, UnknownNameError
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.marks import Marks, count_marks, marks_of, set_marks
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.saved_searches import all_searches, change_search, delete_search, save_search
from twobranch.indexer.catalog.writing import writing
from twobranch.indexer.maintenance.doctor import examine
from twobranch.indexer.maintenance.relocate import forget, relocate
from twobranch.indexer.maintenance.salvage import salvage


def _check_writable(library: Path) -> None:
    """Raise ``sqlite3.OperationalError`` while another connection is writing."""
    with closing(sqlite3.connect(library / CATALOG, timeout=0)) as connection:
        connection.execute("BEGIN IMMEDIATE")


@pytest.fixture
def indexed(library: Path, photos: Path, encoder: FakeEncoder) -> Path:
    """A library of red.png, green.png and blue.png."""
    index(library, photos, encoder)
    return library


@contextmanager
def reading(library: Path) -> Iterator[CatalogReader]:
    with closing(CatalogReader.open(library)) as reader:
        yield reader


def ids(library: Path, *names: str) -> list[int]:
    rows = images(library)
    return [rows[f"photos/{name}"].id for name in names]


def rate(library: Path, rating: int, *names: str) -> int:
    photos = ids(library, *names)
    with writing(library) as connection:
        return set_marks(connection, photos, rating=rating)


def ratings(library: Path) -> dict[str, int]:
    """The rated photos by their paths, with their ratings."""
    paths = {row.id: path.removeprefix("photos/") for path, row in images(library).items()}
    with reading(library) as reader:
        marks = marks_of(reader, list(paths))
    return {paths[id_]: one.rating for id_, one in marks.items() if one.rating is not None}


def new_album(library: Path, name: str, *names: str) -> int:
    photos = ids(library, *names)
    with writing(library) as connection:
        album = create_album(connection, name)
        add_to_album(connection, album, photos)
    return album


def names_in(library: Path, album: int) -> list[str]:
    with reading(library) as reader:
        return [path.name for _, path in album_photos(reader, album)]


def found(library: Path, filters: Filters) -> list[str]:
    """The names of the photos that pass the filters."""
    with reading(library) as reader:
        vectors = reader.matching("images", 1, filters).tolist()
        return sorted(item.path.name for item in reader.found("images", vectors).values() if item.path)


# --- marks ------------------------------------------------------------------------------------------


def test_a_rating_and_a_favourite_are_independent(indexed: Path) -> None:
    red, green, blue = ids(indexed, "red.png", "green.png", "blue.png")
    with writing(indexed) as connection:
        assert set_marks(connection, [red, green], rating=4) == 2
        assert set_marks(connection, [red, blue, 999], favourite=True) == 2  # there is no photo 999
    with reading(indexed) as reader:
        marks = marks_of(reader, [red, green, blue, 999])
        assert marks == {red: Marks(4, True), green: Marks(4), blue: Marks(None, True), 999: Marks()}
        counts = count_marks(reader)
    assert (counts.ratings, counts.favourites) == ((1, 0, 0, 0, 2, 0), 2)

    with writing(indexed) as connection:
        set_marks(connection, [red], rating=0)
        set_marks(connection, [blue], rating=5, favourite=False)
    with reading(indexed) as reader:
        assert marks_of(reader, [red, blue]) == {red: Marks(None, True), blue: Marks(5)}


def test_a_rating_of_six_is_refused(indexed: Path) -> None:
    with writing(indexed) as connection, pytest.raises(ValueError, match="rating of 6"):
        set_marks(connection, [1], rating=6)


def test_a_change_that_fails_is_undone(indexed: Path) -> None:
    (red,) = ids(indexed, "red.png")
    with pytest.raises(NameTakenError), writing(indexed) as connection:
        set_marks(connection, [red], rating=4)
        create_album(connection, "Rome")
        create_album(connection, "rome")
    assert ratings(indexed) == {}


def test_a_library_that_cannot_be_written_to_is_one_line(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write to everything
    with (
        pytest.raises(LibraryError, match="the library is read-only"),
        writing(indexed) as connection,
    ):
        set_marks(connection, [1], rating=4)


def test_filters_by_marks(indexed: Path) -> None:
    rate(indexed, 4, "red.png")
    rate(indexed, 5, "green.png")
    with writing(indexed) as connection:
        set_marks(connection, ids(indexed, "red.png"), favourite=True)
    new_album(indexed, "Rome", "red.png", "blue.png")
    new_album(indexed, "Paris", "green.png")
    assert found(indexed, Filters(ratings=(4, 4))) == ["red.png"]
    assert found(indexed, Filters(ratings=(4, 5))) == ["green.png", "red.png"]
    assert found(indexed, Filters(ratings=(0, 0))) == ["blue.png"]
    assert found(indexed, Filters(ratings=(0, 4))) == ["blue.png", "red.png"]
    assert found(indexed, Filters(favourite=True)) == ["red.png"]
    assert found(indexed, Filters(favourite=False)) == ["blue.png", "green.png"]
    assert found(indexed, Filters(albums=("rome",))) == ["blue.png", "red.png"]
    assert found(indexed, Filters(albums=("Rome", "Paris"), ratings=(5, 5))) == ["green.png"]
    rate(indexed, 0, "red.png")  # it still has a row, as it is a favourite
    assert found(indexed, Filters(ratings=(0, 0))) == ["blue.png", "red.png"]


# --- what marks live through ------------------------------------------------------------------------


def test_copies_share_their_marks(indexed: Path, photos: Path, encoder: FakeEncoder) -> None:
    rate(indexed, 4, "red.png")
    shutil.copy(photos / "red.png", photos / "copy.png")
    index(indexed, photos, encoder)
    assert ratings(indexed) == {"red.png": 4, "copy.png": 4}


def test_a_photo_that_moves_or_is_forgotten_keeps_its_marks(
    indexed: Path, photos: Path, encoder: FakeEncoder
) -> None:
    rate(indexed, 4, "red.png")
    album = new_album(indexed, "Rome", "red.png")
    (photos / "red.png").rename(photos / "moved.png")
    index(indexed, photos, encoder)
    assert ratings(indexed) == {"moved.png": 4}

    forget(indexed, [photos])
    with reading(indexed) as reader:
        (one,) = all_albums(reader)
    assert (one.photos, one.cover) == (0, None)
    index(indexed, photos, encoder)
    assert ratings(indexed) == {"moved.png": 4}
    assert names_in(indexed, album) == ["moved.png"]


def test_marks_survive_a_drive_that_comes_back_elsewhere(
    indexed: Path, photos: Path, encoder: FakeEncoder
) -> None:
    rate(indexed, 4, "red.png")
    elsewhere = photos.rename(photos.with_name("elsewhere"))
    relocate(indexed, photos, elsewhere)
    index(indexed, elsewhere, encoder)
    assert ratings(indexed) == {"elsewhere/red.png": 4}


def test_an_edited_photo_keeps_its_marks(indexed: Path, photos: Path, encoder: FakeEncoder) -> None:
    with writing(indexed) as connection:
        set_marks(connection, ids(indexed, "red.png"), rating=4, favourite=True)
    album = new_album(indexed, "Rome", "red.png")
    write_photo(photos / "red.png", (250, 9, 9))  # as an editor would
    index(indexed, photos, encoder)
    with reading(indexed) as reader:
        (red,) = ids(indexed, "red.png")
        assert marks_of(reader, [red]) == {red: Marks(4, True)}
    assert names_in(indexed, album) == ["red.png"]


def test_marks_wait_while_a_photo_cannot_be_read(indexed: Path, photos: Path, encoder: FakeEncoder) -> None:
    """An index may catch a program in the middle of saving, more than once."""
    rate(indexed, 4, "red.png")
    for half in (b"", b"half a photo"):
        (photos / "red.png").write_bytes(half)
        index(indexed, photos, encoder)
    assert ratings(indexed) == {}
    write_photo(photos / "red.png", (250, 9, 9))
    index(indexed, photos, encoder)
    assert ratings(indexed) == {"red.png": 4}


def test_photos_that_exchange_their_names_keep_their_own_marks(
    indexed: Path, photos: Path, encoder: FakeEncoder
) -> None:
    rate(indexed, 4, "red.png")
    rate(indexed, 0, "blue.png")  # looked at, and not rated
    (photos / "red.png").rename(photos / "other.png")
    (photos / "blue.png").rename(photos / "red.png")
    (photos / "other.png").rename(photos / "blue.png")
    index(indexed, photos, encoder)
    assert ratings(indexed) == {"blue.png": 4}


def test_a_file_overwritten_by_another_photo_takes_that_ones_marks(
    indexed: Path, photos: Path, encoder: FakeEncoder
) -> None:
    rate(indexed, 4, "red.png")
    shutil.copy(photos / "blue.png", photos / "red.png")  # blue is in the library, and has no rating
    index(indexed, photos, encoder)
    assert ratings(indexed) == {}


def test_an_edit_that_is_undone_finds_its_marks_again(
    indexed: Path, photos: Path, encoder: FakeEncoder
) -> None:
    rate(indexed, 4, "red.png")
    before = (photos / "red.png").read_bytes()
    write_photo(photos / "red.png", (250, 9, 9))
    index(indexed, photos, encoder)
    rate(indexed, 1, "red.png")
    (photos / "red.png").write_bytes(before)
    index(indexed, photos, encoder)
    assert ratings(indexed) == {"red.png": 4}


def test_repairs_keep_marks(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photos(photos, {f"{n}.png": (n, 0, 9) for n in range(40)})
    index(library, photos, encoder)
    rate(library, 4, "red.png", "7.png")
    album = new_album(library, "Rome", "7.png", "red.png")
    with writing(library) as connection:
        save_search(connection, "dogs", "q=dog")
    salvage(library / CATALOG)
    assert ratings(library) == {"red.png": 4, "7.png": 4}
    assert names_in(library, album) == ["7.png", "red.png"]
    with reading(library) as reader:
        assert [one.query for one in all_searches(reader)] == ["q=dog"]


def test_doctor_empties_a_rating_that_is_none(indexed: Path) -> None:
    rate(indexed, 4, "red.png")
    with closing(sqlite3.connect(indexed / CATALOG)) as connection, connection:
        connection.execute("UPDATE marks SET rating = 68")  # a bit flipped
    (finding,) = [one for one in examine(indexed) if one.part == "catalogue"]
    assert finding.found == "1 invalid values of rating in marks"
    examine(indexed, repair=True)
    assert ratings(indexed) == {}
    assert [one.fine for one in examine(indexed) if one.part == "catalogue"] == [True]


# --- albums -----------------------------------------------------------------------------------------


def test_an_album_keeps_the_order_in_which_photos_were_added(indexed: Path) -> None:
    album = new_album(indexed, "  Rome\t2024 ", "red.png", "blue.png")
    with writing(indexed) as connection:
        photos = ids(indexed, "blue.png", "green.png")
        assert add_to_album(connection, album, [*photos, 999]) == 1  # blue is in it
    assert names_in(indexed, album) == ["red.png", "blue.png", "green.png"]
    with reading(indexed) as reader:
        (one,) = all_albums(reader)
        assert (one.name, one.photos, one.cover) == ("Rome 2024", 3, *ids(indexed, "red.png"))
        assert albums_of(reader, one.cover or 0) == [(album, "Rome 2024")]
    with writing(indexed) as connection:
        assert remove_from_album(connection, album, ids(indexed, "red.png")) == 1
    assert names_in(indexed, album) == ["blue.png", "green.png"]
    with writing(indexed) as connection:
        assert delete_album(connection, album)
        assert not delete_album(connection, album)
    with reading(indexed) as reader:
        assert all_albums(reader) == []
    assert len(images(indexed)) == 3


@pytest.mark.parametrize("name", ["ROME", "", "  ", "x" * 201, "a\0b"])
def test_names_that_an_album_cannot_have(indexed: Path, name: str) -> None:
    new_album(indexed, "Rome")
    paris = new_album(indexed, "Paris")
    for change in (
        lambda connection: create_album(connection, name),
        lambda connection: rename_album(connection, paris, name),
    ):
        with (
            pytest.raises(NameTakenError if name == "ROME" else Exception, match="name"),
            writing(indexed) as connection,
        ):
            change(connection)
    with writing(indexed) as connection:
        assert rename_album(connection, paris, "PARIS")  # its own name in other letters


def test_an_unknown_album_is_told_with_names_that_are_near(indexed: Path) -> None:
    with (
        reading(indexed) as reader,
        pytest.raises(UnknownNameError, match="no album 'Rom'; there is none yet"),
    ):
        check_albums(reader, Filters(albums=("Rom",)))
    for name in ("Rome 2024", "Paris", "Rome"):
        new_album(indexed, name)
    with reading(indexed) as reader:
        check_albums(reader, Filters(albums=("rome", "PARIS")))
        with pytest.raises(UnknownNameError, match=r"no album 'Rom'; there is Rome, Rome 2024$"):
            check_albums(reader, Filters(albums=("Rom",)))


# --- saved searches ---------------------------------------------------------------------------------


def test_saved_searches(indexed: Path) -> None:
    with writing(indexed) as connection:
        dogs = save_search(connection, "dogs", "?q=dog")
        save_search(connection, "cats", "q=cat&after=2023")
        assert change_search(connection, dogs, "Dogs", "q=a+dog")
        assert not change_search(connection, 99, "x", None)
    with reading(indexed) as reader:
        assert [(one.name, one.query) for one in all_searches(reader)] == [
            ("cats", "q=cat&after=2023"),
            ("Dogs", "q=a+dog"),
        ]
    with writing(indexed) as connection, pytest.raises(NameTakenError):
        save_search(connection, "DOGS", "q=x")
    with writing(indexed) as connection:
        assert delete_search(connection, dogs)


def refused(queries: Sequence[str], library: Path) -> list[str]:
    """Those of these queries that cannot be saved."""
    left = []
    for query in queries:
        try:
            with writing(library) as connection:
                save_search(connection, query or "none", query)
        except Exception:
            left.append(query)
    return left


def test_a_search_without_parameters_is_not_saved(indexed: Path) -> None:
    assert refused(["", "?", "q=a\nb", "q=" + "x" * 16_000, "q=dog"], indexed) == [
        "",
        "?",
        "q=a\nb",
        "q=" + "x" * 16_000,
    ]


def test_a_refused_change_lets_the_next_writer_in_at_once(indexed: Path) -> None:
    with writing(indexed) as connection:
        for name in ("Athens", "Rome"):
            create_album(connection, name)
    # An error is kept as a server keeps it: with its traceback, which refers to the frames and their cursors.
    with pytest.raises(NameTakenError) as taken, writing(indexed) as connection:
        create_album(connection, "athens")
    _check_writable(indexed)
    with pytest.raises(KeyError) as left, writing(indexed) as connection:
        first = next(cursor := connection.execute("SELECT name FROM albums"))
        raise KeyError(first)
    _check_writable(indexed)
    del taken, left, cursor
