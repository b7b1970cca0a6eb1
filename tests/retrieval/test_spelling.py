from __future__ import annotations

from collections.abc import Sequence

import pytest

from twobranch.retrieval.spelling import LONGEST, WORDS, Correction, corrected, corrections, frequent_words


class Library:
    """A library that has these words."""

    def __init__(self, *words: str) -> None:
        self.words = frozenset(words)

    def __contains__(self, word: object) -> bool:
        return word in self.words

    def among(self, words: Sequence[str]) -> set[str]:
        return self.words & set(words)  # type: ignore[return-value]


def test_the_list_is_of_frequent_words_in_their_order() -> None:
    words = frequent_words()
    assert len(words) == 80_000
    assert words["the"] < words["dog"] < words["corgi"]
    assert WORDS.stat().st_size < 400_000
    assert max(map(len, words)) == LONGEST


def test_the_longest_words_are_put_right_and_longer_ones_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 16,000 letters the strings a step away have 14 GB."""
    longest = max(frequent_words(), key=len)
    (correction,) = corrections(f"{longest}x")
    assert correction.known == (longest,)
    monkeypatch.setattr(
        "twobranch.retrieval.spelling.one_step", lambda word: pytest.fail(f"{len(word)} letters")
    )
    assert corrections("a" * (LONGEST + 2)) == corrections("犬" * 100_000) == []


@pytest.mark.parametrize(
    ("text", "word", "meant"),
    [
        ("a bicylce on a road", "bicylce", "bicycle"),  # two letters swapped
        ("mountian", "mountian", "mountain"),
        ("a girl with an umbrela", "umbrela", "umbrella"),  # one is missing
        ("resturant", "resturant", "restaurant"),
        ("the playgroud", "playgroud", "playground"),
        ("a frisbie", "frisbie", "frisbee"),  # another one
    ],
)
def test_what_is_certainly_mistyped(text: str, word: str, meant: str) -> None:
    (correction,) = corrections(text)
    assert (correction.word, correction.known[0], correction.is_certain) == (word, meant, True)
    assert corrected(text, [correction]) == text.replace(word, meant)


def test_what_could_be_several_words_is_only_asked_about() -> None:
    (correction,) = corrections("a hourse on a farm")
    assert (correction.known, correction.is_certain) == (("horse", "house", "course"), False)


@pytest.mark.parametrize(
    "text",
    [
        "a black dog running with a stick",
        "goggles poodles agility sledding snowboarders",  # rarer than in books
        "Alina in Grafitti Town",  # names
        "waterskis kitesurfing wakeboarder",  # in no list, but near nothing either, or made of known words
        "a dgo",  # too short to tell
        "IMG_2034 2023",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert corrections(text) == []


def test_words_of_the_library_are_known() -> None:
    assert corrections("mountian", library=Library("mountian")) == []


def test_words_of_the_library_are_likelier() -> None:
    assert [one.known[0] for one in corrections("a hourse")] == ["horse"]
    (correction,) = corrections("a hourse", library=Library("house"))
    assert (correction.known[0], correction.is_certain) == ("house", False)  # an easy guess is a guess still


def test_words_that_only_the_library_has_are_asked_about() -> None:
    (correction,) = corrections("kilimandscaro", library=Library("kilimandscharo"))
    assert (correction.known, correction.is_certain) == (("kilimandscharo",), False)
    (correction,) = corrections("ein hnud am okavngo", Library("okavango"), "de")[1:]
    assert correction.known[0] == "okavango"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bpat", "boat"),  # p is beside o; "beat" and "brat" would take other errors
        ("peopel", "people"),  # swapped, not "propel"
        ("grils", "girls"),  # swapped, not "grills"
    ],
)
def test_errors_that_hands_make_are_likelier(typed: str, meant: str) -> None:
    (correction,) = corrections(typed)
    assert correction.known[0] == meant


def test_only_whole_words_are_put_right() -> None:
    certain = [Correction("feild", ("field",), True)]
    assert corrected("a feild, and Feildhouse", certain) == "a field, and Feildhouse"


@pytest.mark.parametrize(
    ("text", "language", "word", "meant"),
    [
        ("ein hnud am strand", "de", "hnud", "hund"),
        ("wasserfal im wald", "de", "wasserfal", "wasserfall"),
        ("perro en la plya", "es", "plya", "playa"),
        ("une fenetre fermeé", "fr", "fermeé", "fermée"),
    ],
)
def test_other_languages_are_asked_about_and_never_put_right(
    text: str, language: str, word: str, meant: str
) -> None:
    (correction,) = corrections(text, language=language)
    assert (correction.word, correction.is_certain) == (word, False)
    assert meant in correction.known


@pytest.mark.parametrize("text", ["elefant", "rotes auto", "sonnenblumenfeld", "pizza am strand", "kinder"])
def test_words_compounds_and_english_words_are_known(text: str) -> None:
    assert corrections(text, language="de") == []


def test_a_word_of_another_language_is_not_put_right_in_english() -> None:
    """In an English query "elefant" became "elegant" without a question."""
    (correction,) = corrections("an elefant in the grass")
    assert (correction.word, correction.is_certain) == ("elefant", False)
