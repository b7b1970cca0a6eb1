"""Everyday words: those that people use in captions of photos.

"Apple", "birthday", "sunny" and "day" are such words, "norway" and "anna" are not. A photo's pixels can show
what an everyday word means. ``train.output.everyday_words`` writes the list, from captions in five languages.
It holds hashes, not words. A lookup takes microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.language import DATA, ENGLISH, hashed

EVERYDAY = "everyday-words.npy"  # (W,) sorted uint32


def is_everyday(word: str, language: str) -> bool:
    """Return True for an everyday word of the language, or of English.

    The word is in lower case. English words count everywhere: cameras and people of all languages use them
    in names.
    """
    wanted = np.concatenate([keys([word], language), keys([word], ENGLISH)])
    table = _table()
    at = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return bool((table[at] == wanted).any())


def keys(words: Sequence[str], language: str) -> NDArray[np.uint32]:
    """Return (N,) the keys of words of a language in the list."""
    hashes = hashed([f"{language} {word}" for word in words])
    return np.asarray(hashes >> np.uint64(32), dtype=np.uint32)


@cache
def _table() -> NDArray[np.uint32]:
    """Return the keys, memory-mapped."""
    return np.asarray(np.load(DATA / EVERYDAY, mmap_mode="r", allow_pickle=False))
