"""Forms of a word among the words that a library has."""

from __future__ import annotations

import pytest

from twobranch.embedding.language import LANGUAGES
from twobranch.retrieval.word_forms import STEMMERS, word_forms


def forms(word: str, language: str, *written: str) -> tuple[str, ...]:
    return word_forms(word, language, lambda letters: [one for one in written if one.startswith(letters)])


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        ("en", "receipt", "receipts"),
        ("en", "party", "parties"),
        ("de", "rechnung", "rechnungen"),
        ("de", "haus", "hauser"),  # the table has no accents
        ("fr", "gateau", "gateaux"),
        ("es", "viaje", "viajes"),
        ("cs", "svatba", "svatby"),
        ("it", "ricevuta", "ricevute"),
        ("nl", "rekening", "rekeningen"),
        ("pt", "casamento", "casamentos"),
        ("pl", "gora", "gory"),
        ("sv", "hund", "hundar"),
    ],
)
def test_one_and_many_find_each_other(language: str, one: str, many: str) -> None:
    written = (one, many, "other", one[:3] + "q")
    assert forms(one, language, *written) == (one, many)
    assert forms(many, language, *written) == (many, one)


def test_accents_make_no_difference() -> None:
    assert forms("fêtes", "fr", "fete", "fetes", "feu") == ("fêtes", "fete")
    assert forms("häuser", "de", "haus") == ("häuser", "haus")


def test_numbers_short_words_and_other_languages_have_no_forms() -> None:
    assert forms("2021", "en", "2021s") == ("2021",)
    assert forms("as", "en", "ass") == ("as",)
    assert forms("pes", "xx", "psi") == ("pes",)


def test_each_language_of_the_table_has_a_stemmer() -> None:
    assert set(STEMMERS) == set(LANGUAGES)


def test_both_spellings_of_a_german_word_find_each_other() -> None:
    assert forms("strassenfest", "de", "straßenfest", "straßen") == ("strassenfest", "straßenfest")
    assert forms("straßenfest", "de", "strassenfest", "strassenfeste") == (
        "straßenfest",
        "strassenfest",
        "strassenfeste",
    )
    assert forms("glass", "en", "glass", "glasses") == ("glass", "glasses")  # nobody writes "glaß"
