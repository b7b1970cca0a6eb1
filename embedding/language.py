"""The language of a short text, by its words and, for unknown words, by their letters.

Naive Bayes over a table of word frequencies in ten languages (``train.languages.wordtable`` writes it). The
table holds hashes, not words: to look one up takes microseconds, and nothing is read but the pages it is on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"
HASHES, FREQUENCIES = "word-hashes.npy", "word-frequencies.npy"  # (W,) sorted uint64; (W, L) uint8
ENGLISH = "en"
LANGUAGES = (ENGLISH, "de", "fr", "es", "cs", "it", "nl", "pt", "pl", "sv")  # the columns of the table

STEPS = 25  # of a frequency for each power of ten; 0 is a word that the language does not have
RAREST = -9.0  # log10 of the frequency that step 1 stands for
_ABSENT = -8.5  # log10 of the frequency of a word that is in another language's list only
_LETTERS = 0.5  # how far the letters of an unknown word are believed, against a word in the list
_ENGLISH_FIRST = 1.0  # log10 odds: most queries are English, and names are in no list or in all
_NAME = 3.0  # log10 odds of a single word in no list
_COMMON = 10**-4.6  # a single word that is as frequent in English is English, "hat" for one

_WORD = re.compile(r"[^\W\d_]+")
_BEGIN, _END = "\x02", "\x03"  # around a word of which trigrams are taken


def language_of(text: str) -> str:
    """The code of the likeliest language; English for a text that does not tell."""
    found = words(text)
    total = np.zeros(len(LANGUAGES))
    total[0] = _ENGLISH_FIRST
    if len(found) == 1:
        if frequency(found[0], ENGLISH) >= _COMMON:
            return ENGLISH
        if not _steps(found[0]).any():
            total[0] = _NAME
    for word in found:
        total += _evidence(word)
    return LANGUAGES[int(total.argmax())]


def is_word(word: str, language: str) -> bool:
    """True if the word, in lower case, is among the frequent ones of the language."""
    return frequency(word, language) > 0


def frequency(word: str, language: str) -> float:
    """The share of the word, in lower case, among all words of the language; 0 where it is not frequent."""
    steps = _steps(word)[LANGUAGES.index(language)]
    return float(10 ** (RAREST + steps / STEPS)) if steps else 0.0


def words(text: str) -> list[str]:
    """The words of a text in lower case, without digits and signs."""
    return _WORD.findall(text.lower())


def trigrams(word: str) -> list[str]:
    """The keys of a word's trigrams, its ends marked: no word has such a key."""
    marked = f"{_BEGIN}{word}{_END}"
    return [_BEGIN + marked[i : i + 3] for i in range(len(marked) - 2)]


def hashed(keys: Sequence[str]) -> NDArray[np.uint64]:
    """(N,) 64-bit hashes of words or trigrams."""
    digests = (blake2b(key.encode("utf-8", "replace"), digest_size=8).digest() for key in keys)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


@lru_cache(maxsize=4096)
def _evidence(word: str) -> NDArray[np.float64]:
    """(L,) log10 of how likely the word is in each language, up to a constant."""
    steps = _steps(word)
    if steps.any():
        return np.where(steps > 0, RAREST + steps / STEPS, _ABSENT)
    letters = np.array([_steps(key) for key in trigrams(word)], dtype=np.float64)  # (T, L)
    likely = np.where(letters > 0, RAREST + letters / STEPS, RAREST)
    return _LETTERS * likely.sum(axis=0)


def _steps(key: str) -> NDArray[np.uint8]:
    """(L,) the row of the table for a word or trigram; zeros where it has none."""
    hashes, frequencies = _table()
    wanted = hashed([key])[0]
    at = int(np.searchsorted(hashes, wanted))
    if at == len(hashes) or hashes[at] != wanted:
        return np.zeros(len(LANGUAGES), dtype=np.uint8)
    return np.asarray(frequencies[at])


@cache
def _table() -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Hashes and frequencies, memory-mapped."""
    hashes, frequencies = (np.load(DATA / name, mmap_mode="r") for name in (HASHES, FREQUENCIES))
    return hashes, frequencies
