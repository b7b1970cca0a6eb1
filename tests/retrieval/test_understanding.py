"""Which sentences pixels cannot answer, with the shipped table of word frequencies."""

from __future__ import annotations

import pytest

from twobranch.embedding.language import is_gibberish, is_word
from twobranch.retrieval.understanding import not_understood


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("the", "en", "function_words"),
        ("with of the", "en", "function_words"),
        ("der die und", "de", "function_words"),
        ("xqzzt", "en", "gibberish"),
        ("asdfgh qwertz", "en", "gibberish"),
        ("koira rannalla", "en", "unknown_language"),  # Finnish: a dog on the beach
        ("собака", "en", "unknown_script"),
        ("犬", "en", "unknown_script"),
        ("?!", "en", "no_words"),
        ("2021", "en", "no_words"),
    ],
)
def test_what_no_photo_can_answer(text: str, language: str, reason: str) -> None:
    found = not_understood(text, language)
    assert found is not None
    assert found.reason == reason
    assert text in str(found)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("dog", "en"),
        ("a wombat", "en"),
        ("quesadilla", "en"),  # rare: in no list, but its letters are those of a word
        ("hourse", "en"),  # mistyped: the spelling asks
        ("man in hat", "de"),  # three function words of German, but a hat is a thing
        ("hat", "de"),
        ("weißer Straßenhund", "de"),
        ("xqzzt dog", "en"),  # one word that is known
        ("perro en la playa", "es"),
    ],
)
def test_what_is_understood(text: str, language: str) -> None:
    assert not_understood(text, language) is None


def test_german_words_are_known_in_either_spelling() -> None:
    assert is_word("weißer", "de")
    assert is_word("weisser", "de")


def test_gibberish_has_letters_that_no_language_puts_in_this_order() -> None:
    assert [is_gibberish(word) for word in ("xqzzt", "zzzz", "vizsla", "straßenfest")] == [
        True,
        True,
        False,
        False,
    ]
