"""The shipped list of everyday words."""

from __future__ import annotations

import pytest

from twobranch.embedding.everyday import is_everyday


@pytest.mark.parametrize("word", ["apple", "camera", "cake", "day", "sunny", "woman", "kids", "phone"])
def test_what_captions_say_is_everyday(word: str) -> None:
    assert is_everyday(word, "en")
    assert is_everyday(word, "it")  # English words are in names everywhere


@pytest.mark.parametrize("word", ["norway", "paris", "anna", "2021", "invoice", "dcim", ""])
def test_names_and_papers_are_not(word: str) -> None:
    assert not is_everyday(word, "en")


def test_other_languages_have_words_of_their_own() -> None:
    assert is_everyday("geburtstag", "de")
    assert is_everyday("plage", "fr")
    assert not is_everyday("plage", "en")
