"""What a served engine remembers is what the catalogue says, and is forgotten with the next commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.catalog.connection import open_database
from twobranch.indexer.catalog.fulltext import FIELDS
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library
from twobranch.server.work import caching_reader as remembering
from twobranch.server.work.caching_reader import CachingReader


@pytest.fixture
def readers(
    library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path
) -> Iterator[tuple[CatalogReader, CachingReader]]:
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\tcaption\nred.png\ta red thing\nblue.png\tblue\n")
    update_library(library, [photos], encoder, captions=captions)
    path = open_database(library)
    with closing(CatalogReader(path)) as plain, closing(CachingReader(path)) as remembering:
        yield plain, remembering


def look_up(reader: CatalogReader) -> list[object]:
    """All that a search asks for, of what there is and of what there is not."""
    answers: list[object] = [reader.has_words()]
    for ids in ([1, 2, 99], [3, 2, 1], []):
        answers += [reader.found("images", ids), reader.found("captions", ids), reader.images_of_vectors(ids)]
    for word in ("red", "blue", "nothing"):
        for fields in (FIELDS, ("captions",)):
            answers += [reader.count_word(word, fields), reader.images_with_word(word, fields).tolist()]
        answers.append(reader.words_beginning(word[:3]))
    return answers


@pytest.mark.parametrize("room", [50_000, 1])
def test_answers_are_those_of_the_catalogue(
    readers: tuple[CatalogReader, CachingReader], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "_MOST", room)
    monkeypatch.setattr(remembering, "_MOST_NUMBERS", room)
    monkeypatch.setattr(remembering, "_MOST_BEGINNINGS", room)
    plain, remembered = readers
    assert look_up(remembered) == look_up(plain)
    assert look_up(remembered) == look_up(plain)


def test_nothing_is_read_twice(
    readers: tuple[CatalogReader, CachingReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, remembered = readers
    look_up(remembered)
    photos, captions = plain.found("images", [1, 2, 3]), plain.found("captions", [1, 2])
    expected = plain.images_with_word("red", FIELDS).tolist()
    monkeypatch.setattr(CatalogReader, "_all", None)  # nothing can be read any more
    monkeypatch.setattr(CatalogReader, "_words", None)
    assert (remembered.found("images", list(photos)), remembered.found("captions", list(captions))) == (
        photos,
        captions,
    )
    assert remembered.has_words()
    assert remembered.count_word("red", FIELDS) == len(expected) == 1
    assert remembered.images_with_word("red", FIELDS).tolist() == expected


def test_a_commit_ends_it(
    readers: tuple[CatalogReader, CachingReader], library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    plain, remembered = readers
    look_up(remembered)
    (photos / "blue.png").unlink()
    write_photo(photos / "red rose.png", (200, 0, 0))
    update_library(library, [photos], encoder)
    remembered.clear_if_changed()
    assert look_up(remembered) == look_up(plain)
