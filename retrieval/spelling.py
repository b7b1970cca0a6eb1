"""Detection and correction of mistyped words.

A sentence encoder splits every word into pieces, so a mistyped word silently searches for something else. A
word that is not among 80,000 frequent ones is probably mistyped if one step makes it a frequent word: adding,
removing or replacing a letter, or swapping two neighbours (Damerau, *A technique for computer detection and
correction of spelling errors*, 1964: four of five misspellings are one such step away).
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
LONGEST = 22  # letters of the longest word in that list
_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST = 4  # letters; nearly every shorter string is a step away from several words
# The likeliest word counts as the only candidate if the rank of the second is this many times as large.
_FAR_AHEAD = 8
# Words from rank _RARE on are questioned if another word's rank is _MUCH_RARER times smaller.
_RARE, _MUCH_RARER = 50_000, 15
_ACCENTED = "àáâäåãąèéêëěęìíîïñńňòóôöõùúûüůýçćčďłřśšťźżžßœæ"  # letters of the languages beside English
_ENDINGS = ("s", "es", "ed", "ing", "er", "ers", "ly", "y", "like", "less")


@dataclass(frozen=True)
class Correction:
    """A word as written, and its possible corrections.

    ``known`` are known words one step away, the most frequent first.
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


def corrections(text: str, also_known: Container[str] = (), language: str = ENGLISH) -> list[Correction]:
    """Find the unknown words of ``text`` and their possible corrections.

    Only words with a frequent word one step away are returned. ``also_known`` are words in lower case, such
    as those of the library. A word with a capital letter counts as a name, and a form of a known word (dog,
    dogs) as known. In languages other than English no correction is certain, as a word has more forms than
    the list.
    """
    found = []
    for word in dict.fromkeys(_WORD.findall(text)):
        if not _SHORTEST <= len(word) <= LONGEST + 1 or word != word.lower():
            continue  # such words are not corrected; the length also limits the number of steps
        if language != ENGLISH:
            if (others := _near(word, language)) and word not in also_known:
                found.append(Correction(word, others, False))
            continue
        rank = _rank(word)
        # The library is asked last: this takes one SQL statement per word, and most words are known.
        if (_is_form(word) if rank is None else rank < _RARE) or word in also_known:
            continue
        ranks = frequent_words()
        near = sorted({other for other in _one_step(word) if other in ranks}, key=ranks.__getitem__)
        if rank is not None:  # a rare word: it is questioned only if other words are much more frequent
            near = [other for other in near if _MUCH_RARER * ranks[other] < rank]
        if near:
            alone = len(near) == 1 or ranks[near[1]] > _FAR_AHEAD * (ranks[near[0]] + 100)
            # People who mistype a word usually get its first letter right.
            sure = rank is None and alone and len(word) > _SHORTEST and word[0] == near[0][0]
            sure = sure and not any(is_word(word, other) for other in LANGUAGES)
            found.append(Correction(word, tuple(near[:3]), sure))
    return found


def corrected(text: str, certain: Sequence[Correction]) -> str:
    """Replace mistyped words with their most frequent corrections."""
    right = {correction.word: correction.known[0] for correction in certain}
    return _WORD.sub(lambda match: right.get(match[0], match[0]), text)


def _is_form(word: str) -> bool:
    """True for a form of a frequent word, or two joined ones."""
    words = frequent_words()
    stems = [word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending)]
    # dogs -> dog, stopping -> stop, hiking -> hike
    forms = {form for stem in stems if len(stem) > 2 for form in (stem, f"{stem}e", stem[:-1])}
    halves = (len(word) > 7 and word[:i] in words and word[i:] in words for i in range(4, len(word) - 3))
    return any(form in words for form in forms) or any(halves)


def _near(word: str, language: str) -> tuple[str, ...]:
    """Find frequent words of a language one step away.

    The most frequent come first. The result is empty for a known word: a word of the language, an English
    word, or two words of the language joined.
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
    """Yield all strings that are one step away from the word."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters if letter != tail[0])
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in letters)
