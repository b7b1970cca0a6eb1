"""Detection and correction of mistyped words.

A sentence encoder splits every word into pieces, so a mistyped word silently searches for something else. A
word that is not among 80,000 frequent ones is probably mistyped if one step makes it a frequent word: adding,
removing or replacing a letter, or swapping two neighbours (Damerau, *A technique for computer detection and
correction of spelling errors*, 1964: four of five misspellings are one such step away). Such words are
weighed by how often people write them about photos, by how easily that step happens, and by whether the
library has them (the noisy channel of Kernighan, Church and Gale, *A spelling correction program based on a
noisy channel model*, COLING 1990).
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import ascii_lowercase
from typing import Protocol

from twobranch.embedding.language import ENGLISH, LANGUAGES, frequency, is_compound, is_word

WORDS = Path(__file__).parent / "data" / "words.txt.gz"  # train.output.spelling_words writes it
LONGEST = 22  # letters of the longest word in that list
_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST = 4  # letters; nearly every shorter string is a step away from several words
# The likeliest word counts as the only candidate if the second is so many times less likely.
_FAR_AHEAD = 8
# Words from rank _RARE on are questioned if another word's rank is _MUCH_RARER times smaller.
_RARE, _MUCH_RARER = 30_000, 50
_RARER_FORM = 30  # times the rank of a word, for a form of it that is not in the list
_FLAT = 100  # added to ranks: the first hundred words are about equally frequent
# A word of the library is as likely as one so many times as frequent. One that only the library has is as
# likely as the word of rank _ONLY_THERE.
_IN_LIBRARY, _ONLY_THERE = 20, 20_000
_RARELY = 1e-6  # the same as a share of all words, in other languages
_ACCENTED = "àáâäåãąèéêëěęìíîïñńňòóôöõùúûüůýçćčďłřśšťźżžßœæ"  # letters of the languages beside English
_ENDINGS = ("s", "es", "ed", "ing", "er", "ers", "ly", "y", "like", "less")
# Shares of the kinds of errors, each divided by the number of ways to make it in one place.
_SWAPPED = 0.25
_LEFT_OUT, _LEFT_OUT_DOUBLED = 0.25, 0.5
_REPLACED, _REPLACED_BESIDE = 0.1 / 20, 0.15 / 5  # by any letter; by a neighbour on the keyboard or a vowel
_ADDED, _ADDED_DOUBLED = 0.1 / 25, 0.15
_FIRST = 0.5  # people who mistype a word usually get its first letter right
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouyàáâäåãąèéêëěęìíîïòóôöõùúûüůýœæ")


class Vocabulary(Protocol):
    """The words of a library, in lower case."""

    def __contains__(self, word: object) -> bool: ...

    def among(self, words: Sequence[str]) -> set[str]:
        """Return those of the words that the library has."""


@dataclass(frozen=True)
class Correction:
    """A word as written, and its possible corrections.

    ``known`` are known words one step away, the likeliest first.
    """

    word: str
    known: tuple[str, ...]
    is_certain: bool  # the first of ``known`` is almost surely right


@cache
def _list() -> bytes:
    """Read the frequent words, each between line feeds.

    Finding a few words in these bytes is faster than building a dictionary, which would delay every search.
    """
    return b"\n" + gzip.decompress(WORDS.read_bytes())


@cache
def frequent_words() -> Mapping[str, int]:
    """Map frequent English words to their ranks.

    Words are in lower case; the most frequent one has rank 0.
    """
    return {word: rank for rank, word in enumerate(_list().decode("ascii").split())}


@lru_cache(maxsize=4096)
def _rank(word: str) -> int | None:
    """Return the rank of a word; None if it is not frequent."""
    at = _list().find(b"\n%s\n" % word.encode())
    return None if at < 0 else _list().count(b"\n", 0, at)


def is_frequent(word: str) -> bool:
    """Return True for a frequent English word. The word is in lower case."""
    return _rank(word) is not None


def corrections(text: str, library: Vocabulary | None = None, language: str = ENGLISH) -> list[Correction]:
    """Find the unknown words of ``text`` and their possible corrections.

    Only words with a known word one step away are returned. The words of the library are known. A word with a
    capital letter counts as a name, and a form of a known word (dog, dogs) as known. In languages other than
    English no correction is certain, as a word has more forms than the list.
    """
    found = []
    for word in dict.fromkeys(_WORD.findall(text)):
        if not _SHORTEST <= len(word) <= LONGEST + 1 or word != word.lower():
            continue  # such words are not corrected; the length also limits the number of steps
        correction = (_english if language == ENGLISH else _foreign)(word, language, library)
        if correction is not None:
            found.append(correction)
    return found


def corrected(text: str, certain: Sequence[Correction]) -> str:
    """Replace mistyped words with their likeliest corrections."""
    right = {correction.word: correction.known[0] for correction in certain}
    return _WORD.sub(lambda match: right.get(match[0], match[0]), text)


def _english(word: str, language: str, library: Vocabulary | None) -> Correction | None:
    """Correct an English word. None for a known one."""
    rank = _rank(word)
    if rank is None:
        rank = _form_rank(word)
    # The library is asked last: this takes an SQL statement, and most words are known.
    if (rank is not None and rank < _RARE) or (library is not None and word in library):
        return None
    ranks = frequent_words()
    if rank is not None:  # a rare word: it is questioned only if other words are much more frequent
        near = {
            other: ranks[other] for other in one_step(word) if _MUCH_RARER * ranks.get(other, rank) < rank
        }
    else:
        near = {other: ranks[other] for other in one_step(word) if other in ranks}
    shares: Mapping[str, float] = {other: 1 / (of_other + _FLAT) for other, of_other in near.items()}
    if rank is not None:
        return Correction(word, _likeliest(_odds(word, shares)), False) if shares else None
    raised = _with_library(shares, word, library, 1 / (_ONLY_THERE + _FLAT))
    if not raised:
        return None
    known = _likeliest(_odds(word, raised))
    # Neither a word's being in the library nor an easy error makes a correction certain.
    tables = (_odds(word, raised), _odds(word, shares), shares)
    return Correction(word, known, all(_is_certain(word, known[0], table) for table in tables))


def _is_certain(word: str, meant: str, odds: Mapping[str, float]) -> bool:
    """True if ``meant`` must be meant, by the odds of all words."""
    if len(word) <= _SHORTEST or word[0] != meant[0] or any(is_word(word, other) for other in LANGUAGES):
        return False
    others = (share for other, share in odds.items() if other != meant)
    return meant in odds and _FAR_AHEAD * max(others, default=0) < odds[meant]


def _foreign(word: str, language: str, library: Vocabulary | None) -> Correction | None:
    """Correct a word of another language than English.

    None for a known word: a word of the language, an English word, or two words of the language joined.
    """
    if (
        is_word(word, language)
        or _rank(word) is not None
        or is_compound(word, language)
        or (library is not None and word in library)
    ):
        return None
    letters = ascii_lowercase + _ACCENTED
    near = {other: frequency(other, language) for other in one_step(word, letters)}
    shares: Mapping[str, float] = {other: share for other, share in near.items() if share}
    shares = _with_library(shares, word, library, _RARELY)
    return Correction(word, _likeliest(_odds(word, shares)), False) if shares else None


def _with_library(
    shares: Mapping[str, float], word: str, library: Vocabulary | None, least: float
) -> Mapping[str, float]:
    """Raise the shares of words that the library has.

    ``shares`` are of words one step away from ``word``. Words that only the library has are added, with the
    share ``least`` before it is raised.
    """
    if library is None:
        return shares
    near = dict.fromkeys(other for other in one_step(word) if len(other) >= _SHORTEST)
    raised = {other: _IN_LIBRARY * shares.get(other, least) for other in library.among(list(near))}
    return {**shares, **raised}


def _odds(word: str, shares: Mapping[str, float]) -> dict[str, float]:
    """Weigh words by their shares and by how easily they become ``word``."""
    return {other: share * _ease(word, other) for other, share in shares.items()}


def _likeliest(odds: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(odds, key=lambda other: (-odds[other], other))[:3])


def _ease(typed: str, meant: str) -> float:
    """Return the likelihood of typing one word for another.

    They are one step apart. The unit is the same for all words of a length.
    """
    at = next((i for i, (a, b) in enumerate(zip(typed, meant, strict=False)) if a != b), len(meant))
    at = min(at, len(typed), len(meant))
    ease = 1.0 if at else _FIRST
    if len(typed) < len(meant):
        return ease * (_LEFT_OUT_DOUBLED if meant[at] in meant[max(at - 1, 0) : at] else _LEFT_OUT)
    if len(typed) > len(meant):
        return ease * (_ADDED_DOUBLED if typed[at] in typed[max(at - 1, 0) : at] else _ADDED)
    if typed[at + 1 :] != meant[at + 1 :]:
        return ease * _SWAPPED
    beside = meant[at] in _beside(typed[at]) or {meant[at], typed[at]} <= _VOWELS
    return ease * (_REPLACED_BESIDE if beside else _REPLACED)


@cache
def _beside(letter: str) -> str:
    """Return the neighbours of a letter on a QWERTY keyboard."""
    for row, letters in enumerate(_KEYS):
        at = letters.find(letter)
        if at >= 0:
            return "".join(other[max(at - 1, 0) : at + 2] for other in _KEYS[max(row - 1, 0) : row + 2])
    return ""


def _form_rank(word: str) -> int | None:
    """Estimate the rank of a form of a frequent word.

    Or of two such words that are joined. None for any other word.
    """
    ranks = frequent_words()
    stems = [word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending)]
    # dogs -> dog, stopping -> stop, hiking -> hike
    forms = {form for stem in stems if len(stem) > 2 for form in (stem, f"{stem}e", stem[:-1])}
    if not word.endswith("s"):
        forms.add(f"{word}s")
    known = [ranks[form] for form in forms if form in ranks]
    known += [
        max(ranks[word[:i]], ranks[word[i:]])
        for i in range(4, len(word) - 3)
        if word[:i] in ranks and word[i:] in ranks
    ]
    return _RARER_FORM * (min(known) + _FLAT) if known else None


def one_step(word: str, letters: str = ascii_lowercase) -> Iterator[str]:
    """Yield all strings that are one step away from the word."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters if letter != tail[0])
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in letters)
