"""The language of short texts, by the shipped table of word frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from twobranch.embedding import language
from twobranch.embedding.language import (
    LANGUAGES,
    frequency,
    is_compound,
    is_word,
    language_of,
    trigrams,
    without_accents,
    words,
)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("red car on a street", "en"),
        ("rotes Auto auf der Straße", "de"),
        ("ein hund am strand", "de"),
        ("voiture rouge dans la rue", "fr"),
        ("perro en la playa", "es"),
        ("pes na pláži", "cs"),
        ("cane sulla spiaggia", "it"),
    ],
)
def test_a_few_words_tell_the_language(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "1234", "!?", "日本", "\x00", "hat", "pizza", "IMG_2021"])
def test_what_does_not_tell_is_english(text: str) -> None:
    assert language_of(text) == "en"


def test_accents_may_be_left_out() -> None:
    assert language_of("femme a la plage avec un chapeau") == language_of("femme à la plage avec un chapeau")


def test_a_frequent_word_is_known_in_its_language_only() -> None:
    assert is_word("elefant", "de") and not is_word("elefant", "en")
    assert is_word("elephant", "en") and not is_word("elephant", "de")
    assert frequency("hund", "de") > 1000 * frequency("hund", "en")


def test_the_letters_of_an_unknown_word_tell_too() -> None:
    compound = "sonnenuntergangsspaziergang"
    assert not any(is_word(compound, language) for language in LANGUAGES)
    assert language_of(f"langer {compound}") == "de"


def test_a_book_is_told_by_its_beginning_and_a_long_word_by_its_first_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up = []
    monkeypatch.setattr(
        language, "_evidence", lambda word: looked_up.append(word) or np.zeros(len(LANGUAGES))
    )
    language_of(f"{'x' * 100_000} " + "hund " * 100_000)
    assert len(looked_up) == 64 and max(map(len, looked_up)) == 64


def test_words_and_trigrams() -> None:
    assert words("Zwei Hunde, 3 Bälle!") == ["zwei", "hunde", "bälle"]
    # Three for a word of three letters: with its beginning, the whole of it, with its end.
    assert len(trigrams("dog")) == 3
    assert trigrams("dog")[1].endswith("dog")


def test_compounds_are_two_words_of_at_least_four_letters() -> None:
    assert is_compound("straßenhund", "de")
    assert not is_compound("straßenhund", "fr")
    assert not is_compound("hund", "de")  # one word
    assert is_word("an", "de")
    assert not is_compound("anhund", "de")  # "an" is too short: nearly all letters would be compounds


def test_accents_are_removed_however_they_are_encoded() -> None:
    assert (
        without_accents("Fêtes à Łódź") == without_accents("Fe\u0302tes a\u0300 Łódz\u0301") == "Fetes a Łodz"
    )
