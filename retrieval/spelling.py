"""Mistyped words, and the frequent words that were probably meant.

A sentence encoder takes every word in pieces, and looks for something else without a word of warning. A word
that is not among 80,000 frequent ones, but becomes one with a letter more, less, another, or two of them
swapped, is probably mistyped (Damerau, *A technique for computer detection and correction of spelling
errors*, 1964: four of five misspellings are one such step away).
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import ascii_lowercase

from twobranch.embedding.language import ENGLISH, LANGUAGES, frequency, is_word

WORDS = Path(__file__).parent / "data" / "words.txt.gz"  # train.output.spelling_words writes it
LONGEST = 22  # letters of a word in that list
_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST = 4  # nearly every shorter string is a step away from several words
_FAR_AHEAD = 8  # times as far down the list of frequent words as the likeliest: then it is the only one meant
_RARE, _MUCH_RARER = (
    50_000,
    15,
)  # words from this rank on are asked about, if others are so much more frequent
_ACCENTED = "àáâäåãąèéêëěęìíîïñńňòóôöõùúûüůýçćčďłřśšťźżžßœæ"  # letters of the languages beside English
_ENDINGS = ("s", "es", "ed", "ing", "er", "ers", "ly", "y", "like", "less")


@dataclass(frozen=True)
class Correction:
    """A word as it was written, and the known ones a step away, the most frequent first."""

    word: str
    known: tuple[str, ...]
    is_certain: bool  # hardly anything else can be meant


@cache
def _list() -> bytes:
    """The frequent words, each between line feeds. To look a few up in it takes less time than to make a
    dictionary of it, for which every search would wait."""
    return b"\n" + gzip.decompress(WORDS.read_bytes())


@cache
def frequent_words() -> Mapping[str, int]:
    """Frequent English words in lower case, each with its rank: the most frequent has 0."""
    return {word: rank for rank, word in enumerate(_list().decode("ascii").split())}


@lru_cache(maxsize=4096)
def _rank(word: str) -> int | None:
    """The word's rank, None for one that is not frequent."""
    at = _list().find(b"\n%s\n" % word.encode())
    return None if at < 0 else _list().count(b"\n", 0, at)


def corrections(text: str, also_known: Container[str] = (), language: str = ENGLISH) -> list[Correction]:
    """The words of ``text`` that are not known, with frequent ones a step away, where there are any.

    ``also_known`` are words in lower case, such as those of the library. A word with a capital letter is
    taken for a name, a form of a known word (dog, dogs) for known. In another language than English nothing
    is certain: its words have more forms than any list.
    """
    found = []
    for word in dict.fromkeys(_WORD.findall(text)):
        if not _SHORTEST <= len(word) <= LONGEST + 1 or word != word.lower():
            continue  # the steps of a word grow with the square of its length
        if language != ENGLISH:
            if (others := _near(word, language)) and word not in also_known:
                found.append(Correction(word, others, False))
            continue
        rank = _rank(word)
        # In the library it is looked up last: that takes a statement a word, and most words are known.
        if (_is_form(word) if rank is None else rank < _RARE) or word in also_known:
            continue
        ranks = frequent_words()
        near = sorted({other for other in _one_step(word) if other in ranks}, key=ranks.__getitem__)
        if rank is not None:  # a word, but hardly the one that was meant if others are so much more frequent
            near = [other for other in near if _MUCH_RARER * ranks[other] < rank]
        if near:
            alone = len(near) == 1 or ranks[near[1]] > _FAR_AHEAD * (ranks[near[0]] + 100)
            # Whoever mistypes a word gets its first letter right.
            sure = rank is None and alone and len(word) > _SHORTEST and word[0] == near[0][0]
            sure = sure and not any(is_word(word, other) for other in LANGUAGES)
            found.append(Correction(word, tuple(near[:3]), sure))
    return found


def corrected(text: str, certain: Sequence[Correction]) -> str:
    """Replace mistyped words by the likeliest known ones."""
    right = {correction.word: correction.known[0] for correction in certain}
    return _WORD.sub(lambda match: right.get(match[0], match[0]), text)


def _is_form(word: str) -> bool:
    """True for a form of a frequent word, or two words written as one."""
    words = frequent_words()
    stems = [word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending)]
    # dogs -> dog, stopping -> stop, hiking -> hike
    forms = {form for stem in stems if len(stem) > 2 for form in (stem, f"{stem}e", stem[:-1])}
    halves = (len(word) > 7 and word[:i] in words and word[i:] in words for i in range(4, len(word) - 3))
    return any(form in words for form in forms) or any(halves)


def _near(word: str, language: str) -> tuple[str, ...]:
    """Frequent words of a language a step away, the most frequent first; none for a word that is known.

    Known are words of the language, English ones, and those made of two.
    """
    halves = ((word[:i], word[i:]) for i in range(_SHORTEST, len(word) - _SHORTEST + 1))
    if (
        is_word(word, language)
        or _rank(word) is not None
        or any(is_word(first, language) and is_word(second, language) for first, second in halves)
    ):
        return ()
    shares = {other: frequency(other, language) for other in _one_step(word, ascii_lowercase + _ACCENTED)}
    near = sorted((other for other, share in shares.items() if share), key=lambda other: -shares[other])
    return tuple(near[:3])


def _one_step(word: str, letters: str = ascii_lowercase) -> Iterator[str]:
    """All strings that one step makes of the word."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters if letter != tail[0])
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in letters)
