"""Mistyped words, corrected with the words that the library has."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.request import SearchRequest


@pytest.fixture
def indexed(library: Path, tmp_path: Path, encoder: FakeEncoder) -> Path:
    write_photo(tmp_path / "photos" / "Kilimandscharo" / "house.png", "red")
    update_library(library, [tmp_path / "photos"], encoder)  # type: ignore[arg-type]
    return library


def test_names_of_the_library_are_suggested(indexed: Path, encoder: FakeEncoder) -> None:
    with SearchEngine.open(indexed, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        answer = engine.answer(SearchRequest(("red kilimandscaro hourse",)))
        assert [one.known[0] for one in answer.corrections] == ["kilimandscharo", "house"]
        alone = engine.answer(SearchRequest(("red kilimandscaro hourse",), ranking="visual"))
        assert [one.known[0] for one in alone.corrections] == ["horse"]  # names are not looked at


def test_words_are_looked_up_in_a_read_only_library(indexed: Path) -> None:
    with closing(CatalogReader(indexed / CATALOG, write=False)) as reader:
        for _ in range(2):
            assert reader.words_among(["house", "horse", "houses", "kilimandscharo"]) == {
                "house",
                "kilimandscharo",
            }


def test_looking_words_up_does_not_read_where_they_occur(indexed: Path) -> None:
    statements: list[str] = []
    with closing(CatalogReader(indexed / CATALOG)) as reader:
        reader._connection.set_trace_callback(statements.append)
        assert reader.words_among(["house", "horse"]) == {"house"}
    # The list of words (fts5vocab) reads all occurrences of each word: 10 ms for "the" in 200,000 captions.
    assert statements and not any("word_list" in statement for statement in statements)


def test_a_library_without_words_and_one_with_damaged_ones(
    indexed: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    with closing(CatalogReader(indexed / CATALOG)) as reader:
        reader.rows("DROP TABLE words")
        assert reader.words_among(["house"]) == set()
    update_library(indexed, [tmp_path / "photos"], encoder)  # type: ignore[arg-type]
    with closing(CatalogReader(indexed / CATALOG)) as reader:
        reader.rows("DELETE FROM words_data")
        with pytest.raises(LibraryError, match="run `index` to make them anew"):
            reader.words_among(["house"])
