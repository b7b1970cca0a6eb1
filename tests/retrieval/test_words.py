from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import FakeEncoder, write_photos
from tests.indexing import write_captions
from twobranch.indexer.catalog.fulltext import match
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.text_match import WordMatches, combined, content_words, match_words, shares


@pytest.fixture
def albums(library: Path, tmp_path: Path, encoder: FakeEncoder) -> Path:
    """Five photos, of which the first has a caption; ids rise in the order of the paths."""
    photos = {
        "Germany 2018/a.png": "red",
        "Germany 2019/b.png": "red",
        "Italy 2017/c.png": "red",
        "Spain 2016/Sunset_at_sea.png": "blue",
        "Spain 2016/e.png": "blue",
    }
    write_photos(tmp_path / "albums", photos)
    captions = write_captions(tmp_path / "captions.csv", {"a.png": "a dog at the sea"})
    update_library(library, [tmp_path / "albums"], encoder, captions=captions)
    return library


def matches(library: Path, text: str) -> WordMatches:
    with closing(CatalogReader.open(library)) as reader:
        return match_words(reader, text, 5)


def test_words_that_only_hold_a_sentence_together_are_left_out() -> None:
    assert content_words("A photo of the Dog and the dog on a beach") == ["dog", "beach"]


def test_a_share_is_of_the_words_that_occur_at_all(albums: Path) -> None:
    found = matches(albums, "germany 2019 castle")
    # No name says castle. Germany is in two of five names, with the weight ln(1 + 3.5 / 2.5) = 0.875;
    # 2019 in one, with ln(1 + 4.5 / 1.5) = 1.386.
    assert found.image_ids.tolist() == [1, 2]
    assert found.names == pytest.approx([0.875 / (0.875 + 1.386), 1], abs=1e-3)
    assert found.captions.tolist() == [0, 0]


def test_captions_and_names_have_shares_of_their_own(albums: Path) -> None:
    found = matches(albums, "dog by the sea")
    assert found.image_ids.tolist() == [1, 4]
    assert found.names.tolist() == [0, 1]  # "Sunset_at_sea": no name says dog
    assert found.captions.tolist() == [1, 0]


def test_a_word_that_all_photos_have_says_nothing(albums: Path) -> None:
    assert len(matches(albums, "albums")) == 0  # the folder of all five


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "'",
        "sea*",
        "NEAR(a b)",
        "name : germany",
        "^germany",
        "germany AND",
        "a-b",
        "\0",
        "{",
        "日本",
        "💡",
        ")",
    ],
)
def test_no_query_is_read_as_syntax(albums: Path, text: str) -> None:
    matches(albums, text)  # raises nothing
    with closing(CatalogReader.open(albums)) as reader:
        reader.count_word(text, ["name"])


@given(st.text(max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_quoted_word_stays_within_its_quotes(word: str) -> None:
    assert match(word, ["name"]).count('"') % 2 == 0


def test_a_library_without_words_has_no_matches(albums: Path) -> None:
    with closing(CatalogReader.open(albums)) as reader:
        reader._connection.execute("DROP TABLE words")
        assert len(match_words(reader, "germany", 5)) == 0


def test_shares_by_hand() -> None:
    # Of ten photos, 1 and 3 have one word (weight ln(1 + 8.5 / 2.5) = 1.482), 3 another (ln(1 + 9.5 / 1.5) =
    # 1.992); a third occurs nowhere, a fourth everywhere.
    rows = [np.array([1, 3]), np.array([3]), np.array([], dtype=np.int64), np.arange(10)]
    ids, found = shares(rows, 10)
    assert ids.tolist() == [1, 3]
    assert found == pytest.approx([1.482 / (1.482 + 1.992), 1], abs=1e-3)


def test_both_sides_together() -> None:
    found = combined((np.array([2, 5]), np.array([0.5, 1.0])), (np.array([1, 5]), np.array([0.2, 0.3])))
    assert found.image_ids.tolist() == [1, 2, 5]
    assert found.names.tolist() == [0, 0.5, 1]
    assert found.captions.tolist() == [0.2, 0, 0.3]
