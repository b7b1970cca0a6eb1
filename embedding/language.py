"""Language detection for short texts.

A text is judged by its words and, for unknown words, by their letters: naive Bayes over a table of word
frequencies in ten languages (written by ``train.languages.wordtable``). The table holds hashes, not words. A
lookup takes microseconds and reads only the pages it needs.
"""

from __future__ import annotations

import re
import unicodedata
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

STEPS = 25  # frequency steps per power of ten; step 0 means that the language lacks the word
RAREST = -9.0  # log10 frequency just below step 1
_ABSENT = -8.5  # log10 frequency of a word that is only in another language's list
_LETTERS = 0.2  # weight of the letters of an unknown word, against a listed word
_ENGLISH_FIRST = 1.5  # log10 odds: most queries are English, and names are in no list or in all
_NAME = 3.0  # log10 odds of a single word in no list
_COMMON = 10**-4.6  # a single word at least this frequent in English is English, for example "hat"
_GIBBERISH = -4.3  # mean log10 frequency of a word's trigrams: "asdfgh" has -4.5, "vizsla" -3.9
_FUNCTION_WORD = 3e-3  # share of a language's words that only function words reach
_SHORTEST_PART = 4  # letters of a part of a compound
# A caption may be a book, or one word of a million letters; the towers read 64 pieces of it.
_MOST_WORDS, _MOST_LETTERS = 64, 64

_WORD = re.compile(r"[^\W\d_]+")
_BEGIN, _END = "\x02", "\x03"  # mark the ends of a word before its trigrams are taken


def language_of(text: str) -> str:
    """Return the code of the likeliest language. English for a text that gives no evidence."""
    found = [word[:_MOST_LETTERS] for word in words(text)[:_MOST_WORDS]]
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
    """Return True for a frequent word of the language. The word is in lower case."""
    return frequency(word, language) > 0


def frequency(word: str, language: str) -> float:
    """Return the word's share among all words of the language.

    The word is in lower case; the share is 0 for one that is not frequent.
    """
    steps = _steps(word)[LANGUAGES.index(language)]
    return float(10 ** (RAREST + steps / STEPS)) if steps else 0.0


def is_function_word(word: str, language: str) -> bool:
    """Return True for a function word, such as "der" and "les".

    The word is in lower case.
    """
    return frequency(word, language) >= _FUNCTION_WORD


def is_compound(word: str, language: str) -> bool:
    """Return True for two frequent words of the language joined.

    The word is in lower case.
    """
    parts = ((word[:i], word[i:]) for i in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1))
    return any(is_word(first, language) and is_word(second, language) for first, second in parts)


def is_gibberish(word: str) -> bool:
    """Return True for letters that no language puts in this order.

    The word is in lower case.
    """
    rows = np.array([_steps(key) for key in trigrams(word[:_MOST_LETTERS])], dtype=np.float64)
    likeliest = np.where(rows > 0, RAREST + rows / STEPS, RAREST).max(axis=1)
    return float(likeliest.mean()) < _GIBBERISH


def words(text: str) -> list[str]:
    """Return the words in lower case, without digits and signs."""
    return _WORD.findall(text.lower())


def without_accents(text: str) -> str:
    """Return a text without accents, as the full-text table keeps words."""
    signs = unicodedata.normalize("NFD", text)
    return "".join(sign for sign in signs if not unicodedata.combining(sign))


def trigrams(word: str) -> list[str]:
    """Return the table keys of a word's trigrams. The word's ends are marked, so no word has such a key."""
    marked = f"{_BEGIN}{word.replace('ß', 'ss')}{_END}"  # as the table spells German words
    return [_BEGIN + marked[i : i + 3] for i in range(len(marked) - 2)]


def hashed(keys: Sequence[str]) -> NDArray[np.uint64]:
    """Return (N,) 64-bit hashes of words or trigrams."""
    digests = (blake2b(key.encode("utf-8", "replace"), digest_size=8).digest() for key in keys)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


@lru_cache(maxsize=4096)
def _evidence(word: str) -> NDArray[np.float64]:
    """Return the word's log10 likelihood in each language. Shape (L,); up to a constant."""
    steps = _steps(word)
    if steps.any():
        return np.where(steps > 0, RAREST + steps / STEPS, _ABSENT)
    letters = np.array([_steps(key) for key in trigrams(word)], dtype=np.float64)  # (T, L)
    likely = np.where(letters > 0, RAREST + letters / STEPS, RAREST)
    return _LETTERS * likely.sum(axis=0)


def _steps(key: str) -> NDArray[np.uint8]:
    """Return the table row of a word or trigram, shape (L,). Zeros if the table has none."""
    hashes, frequencies = _table()
    wanted = hashed([key.replace("ß", "ss")])[0]  # the table has German words in this spelling
    at = int(np.searchsorted(hashes, wanted))
    if at == len(hashes) or hashes[at] != wanted:
        return np.zeros(len(LANGUAGES), dtype=np.uint8)
    return np.asarray(frequencies[at])


@cache
def _table() -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return hashes and frequencies, memory-mapped."""
    hashes, frequencies = (
        np.load(DATA / name, mmap_mode="r", allow_pickle=False) for name in (HASHES, FREQUENCIES)
    )
    return hashes, frequencies
