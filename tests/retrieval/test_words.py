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
from twobranch.retrieval.text_match import Shares, WordMatches, combined, content_words, match_words, shares


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


@pytest.mark.parametrize(
    ("text", "language", "content"),
    [
        ("ein Hund und der Ball", "de", ["hund", "ball"]),
        ("un chien sur la plage", "fr", ["chien", "plage"]),
        ("la paz", "es", ["paz"]),
        ("a photo of un perro", "es", ["perro"]),  # English ones are left out as well
        ("man mit Hat", "de", ["man", "hat"]),  # "one" and "has" in German, but things in English
        ("ein Hund", "en", ["ein", "hund"]),
        ("como 2019", "pt", ["como", "2019"]),  # "as", unless it is the only word
    ],
)
def test_function_words_of_the_language_are_left_out(text: str, language: str, content: list[str]) -> None:
    assert content_words(text, language) == content


def test_function_words_do_not_find_photos(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    photos = {"Ein Haus und die See/a.png": "red", "Hund/b.png": "red", "x/c.png": "red", "y/d.png": "red"}
    write_photos(tmp_path / "photos", photos)
    update_library(library, [tmp_path / "photos"], encoder)
    with closing(CatalogReader.open(library)) as reader:
        dogs = reader.images_with_word("hund", ["folder"]).tolist()
        assert match_words(reader, "ein Hund und die Katze", 4).image_ids.tolist() == dogs


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
    found = shares(rows, 10)
    assert found.image_ids.tolist() == [1, 3]
    assert found.shares == pytest.approx([1.482 / (1.482 + 1.992), 1], abs=1e-3)
    assert found.lone.tolist() == [0, -1]  # photo 1 has the first word alone
    halved = shares(rows, 10, everyday=[0]).shares  # the first is an everyday word
    assert halved == pytest.approx([0.741 / (0.741 + 1.992), 1], abs=1e-3)


def test_one_word_of_a_long_sentence_is_a_small_share() -> None:
    nowhere = np.array([], dtype=np.int64)
    # One of three words is a third of the sentence, and enough; one of twelve is a quarter of a third.
    assert shares([np.array([1]), *[nowhere] * 2], 10).shares.tolist() == [1]
    assert shares([np.array([1]), *[nowhere] * 11], 10).shares.tolist() == [0.25]
    # Words that are known but too common to be read are known all the same: three of twelve.
    assert shares([np.array([1]), *[nowhere] * 9], 10, n_ignored=2).shares.tolist() == [0.75]


def test_both_sides_together() -> None:
    names = Shares(np.array([2, 5]), np.array([0.5, 1.0]), np.array([0, 1]))
    captions = Shares(np.array([1, 5]), np.array([0.2, 0.3]), np.array([0, 0]))
    found = combined(names, captions, {1: np.array([5])})
    assert found.image_ids.tolist() == [1, 2, 5]
    assert found.names.tolist() == [0, 0.5, 1]
    assert found.captions.tolist() == [0.2, 0, 0.3]
    assert found.lone.tolist() == [-1, -1, 1]  # word 0 is no everyday word


def test_single_letters_say_nothing() -> None:
    assert content_words("child on a man's shoulders") == ["child", "man", "shoulders"]
    assert content_words("It\u2019s 5 o'clock, 山") == ["5", "clock", "山"]


@pytest.mark.parametrize(
    ("letters", "found"),
    [("and", ["andes", "andy"]), ("the", ["theatre"]), ("theo", []), ("area", ["area", "areas"])],
)
def test_words_beginning_with_some_letters_are_without_stop_words(
    library: Path, tmp_path: Path, encoder: FakeEncoder, letters: str, found: list[str]
) -> None:
    write_photos(tmp_path / "photos", {"the Andes and Andy/their area.png": "red"})
    write_photos(tmp_path / "photos", {"are these areas/the theatre.png": "red"})
    update_library(library, [tmp_path / "photos"], encoder)
    with closing(CatalogReader.open(library)) as reader:
        assert reader.words_beginning(letters) == found


def test_forms_of_a_word_in_very_many_photos_are_not_looked_for(
    library: Path, tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(tmp_path / "photos", {f"beach/{i}.png": (i, 0, 0) for i in range(3)})
    write_photos(tmp_path / "photos", {f"beaches/{i}.png": (0, i, 0) for i in range(1, 3)})
    write_photos(tmp_path / "photos", {f"x/{i}.png": (0, 0, i) for i in range(1, 6)})
    update_library(library, [tmp_path / "photos"], encoder)
    with closing(CatalogReader.open(library)) as reader:
        monkeypatch.setattr("twobranch.retrieval.text_match._MOST_WITH_FORMS", 2)
        assert match_words(reader, "beach", 10).forms == ("beach",)  # three photos
        assert match_words(reader, "beaches", 10).forms == ("beaches", "beach")  # two
        monkeypatch.setattr("twobranch.retrieval.text_match._MOST_WITH_FORMS", 3)
        assert match_words(reader, "beach", 10).forms == ("beach", "beaches")


@pytest.mark.parametrize(
    ("folder", "query"),
    [
        ("receipts", "receipt"),
        ("Receipt", "receipts"),
        ("Rechnungen", "rechnung"),
        ("Café Paris", "cafe"),
        ("Sao Paulo", "são paulo"),
        ("Fêtes", "fete"),
    ],
)
def test_other_forms_and_accents_are_found(
    library: Path, tmp_path: Path, encoder: FakeEncoder, folder: str, query: str
) -> None:
    write_photos(tmp_path / "photos", {f"{folder}/a.png": "red", "b.png": "red", "c.png": "red"})
    update_library(library, [tmp_path / "photos"], encoder)
    with closing(CatalogReader.open(library)) as reader:
        ids = reader.images_with_word(folder.split()[0].lower(), ["folder"])
        found = match_words(reader, query, 3)
    assert found.image_ids.tolist() == ids.tolist()
    assert found.names.tolist() == [1]


def test_everyday_words_and_short_numbers_are_told_from_names(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    names = ("101APPLE", "day 2", "Norway", "2021", "Kids birthday")
    write_photos(tmp_path / "photos", {f"{name}/photo.png": "red" for name in names})
    update_library(library, [tmp_path / "photos"], encoder)
    with closing(CatalogReader.open(library)) as reader:
        ids = {name: reader.images_with_word(name.split()[-1].lower(), ["folder"])[0] for name in names[1:]}
        ids["101APPLE"] = reader.images_with_word("apple", ["folder"])[0]
        by_query = {
            text: match_words(reader, text, 5) for text in ("an apple", "2 dogs", "norway", "2021", "kid")
        }
        album = match_words(reader, "kids birthday", 5)
    lone = {text: found.lone.tolist() for text, found in by_query.items()}
    assert lone == {"an apple": [0], "2 dogs": [0], "norway": [-1], "2021": [-1], "kid": [0]}
    assert by_query["2 dogs"].everyday[0].tolist() == [ids["day 2"]]
    # Two words of a name are no chance.
    assert (album.image_ids.tolist(), album.lone.tolist()) == ([ids["Kids birthday"]], [-1])
