"""Sentences that pixels cannot answer: gibberish, function words, other scripts.

Every sentence has a vector, and so some photo is closest to it. For these sentences that says nothing, so
their hits have no confidence unless words of theirs are found in names and captions.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from twobranch.embedding.language import (
    ENGLISH,
    LANGUAGES,
    is_compound,
    is_gibberish,
    is_word,
    words,
)
from twobranch.embedding.stop_words import is_stop_word
from twobranch.retrieval.spelling import is_frequent

Reason = Literal["no_words", "function_words", "gibberish", "unknown_language", "unknown_script"]
_FACTS: dict[Reason, str] = {
    "no_words": "has no words",
    "function_words": "has only words that no photo shows",
    "gibberish": "has no word of any language",
    "unknown_language": "has no word of a language that is known here",
    "unknown_script": "is in a script that is not known here",
}


@dataclass(frozen=True)
class NotUnderstood:
    """The reason why pixels say nothing about a sentence."""

    text: str
    reason: Reason

    @property
    def is_for_words(self) -> bool:
        """True if the sentence is searched for in names and captions only.

        In an unknown language a rare word of a known one may be meant, so pixels are searched too.
        """
        return self.reason != "unknown_language"

    @property
    def is_foreign(self) -> bool:
        """True if a model of more languages may understand the sentence."""
        return self.reason in ("unknown_language", "unknown_script")

    @property
    def fact(self) -> str:
        """The reason without what follows from it."""
        return f"{self.text!r} {_FACTS[self.reason]}"

    def __str__(self) -> str:
        then = "what is found is a guess"
        if self.is_for_words:
            then = "only names, folders, keywords and captions are searched"
        return f"{self.fact}; {then}"

    def as_json(self) -> dict[str, Any]:
        """Return the reason as JSON data."""
        return {"reason": self.reason, "text": self.text, "message": str(self)}


def not_understood(text: str, language: str | None) -> NotUnderstood | None:
    """Return why pixels say nothing about a sentence.

    None for an ordinary sentence. ``language`` is the code of the language that it is read in.
    """
    found = words(text)
    if not found:
        return NotUnderstood(text, "no_words")
    if not any(_is_latin(word) for word in found):
        return NotUnderstood(text, "unknown_script")
    if all(is_stop_word(word, language or ENGLISH) for word in found):
        return NotUnderstood(text, "function_words")
    if any(is_known(word, language or ENGLISH) for word in found):
        return None
    if all(is_gibberish(word) for word in found):
        return NotUnderstood(text, "gibberish")
    # A single word may be a rare one, such as "wombat". Several that nobody knows are of another language.
    return None if len(found) == 1 else NotUnderstood(text, "unknown_language")


def is_known(word: str, language: str) -> bool:
    """Return True for a frequent word of any known language.

    Compounds of two words of ``language`` are known as well. The word is in lower case.
    """
    return (
        is_frequent(word) or any(is_word(word, other) for other in LANGUAGES) or is_compound(word, language)
    )


def _is_latin(word: str) -> bool:
    return any(unicodedata.name(letter, "").startswith("LATIN") for letter in word)
