"""The table of word frequencies that ``embedding.language`` reads.

    pip install --no-deps wordfreq && python -m twobranch.train.languages.wordtable

The frequencies are those of Robyn Speer's wordfreq (https://doi.org/10.5281/zenodo.7199437), under CC BY-SA
4.0, as is the table that is made of them.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from twobranch.common.errors import UserError
from twobranch.embedding.language import (
    DATA,
    FREQUENCIES,
    HASHES,
    LANGUAGES,
    RAREST,
    STEPS,
    hashed,
    trigrams,
    without_accents,
    words,
)

_WORDS = 40_000  # of each language, the most frequent first
_WITHOUT_ACCENTS = 0.2  # as frequent as the word itself


def write_table(folder: Path) -> int:
    """Write hashes and frequencies; the number of rows. Raises ``UserError`` without wordfreq."""
    shares: dict[str, dict[int, float]] = {}  # word or trigram -> share of each language, by its column
    for column, language in enumerate(LANGUAGES):
        for key, share in _keys(language).items():
            shares.setdefault(key, {})[column] = share
    keys = list(shares)
    hashes = hashed(keys)
    frequencies = np.zeros((len(keys), len(LANGUAGES)), dtype=np.uint8)
    for row, key in enumerate(keys):
        for column, share in shares[key].items():
            frequencies[row, column] = min(255, max(1, round(STEPS * (math.log10(share) - RAREST))))
    order = np.argsort(hashes)
    if len(np.unique(hashes)) < len(hashes):
        raise ValueError("two keys share a hash")
    np.save(folder / HASHES, hashes[order])
    np.save(folder / FREQUENCIES, frequencies[order])
    return len(keys)


def _keys(language: str) -> dict[str, float]:
    """The words and trigrams of a language, each with its share."""
    frequent: dict[str, float] = {}
    letters: dict[str, float] = {}
    for word, share in _frequent_words(language):
        if len(frequent) == _WORDS:
            break
        if words(word) != [word]:
            continue
        frequent[word] = frequent.get(word, 0) + share
        for key in trigrams(word):  # a rare word says as much about the letters of unknown ones
            letters[key] = letters.get(key, 0) + math.sqrt(share)
    for word, share in list(frequent.items()):
        plain = without_accents(word)
        if plain != word and plain not in frequent:
            frequent[plain] = _WITHOUT_ACCENTS * share
    total = sum(letters.values())
    return frequent | {key: share / total for key, share in letters.items()}


def _frequent_words(language: str) -> Iterator[tuple[str, float]]:
    """The words of a language with their shares, the most frequent first."""
    import msgpack

    found = find_spec("wordfreq")
    if found is None or found.origin is None:
        raise UserError("wordfreq is not here; `pip install --no-deps wordfreq msgpack`")
    path = Path(found.origin).parent / "data" / f"large_{language}.msgpack.gz"
    header, *buckets = msgpack.unpackb(gzip.decompress(path.read_bytes()), raw=False)
    assert header["format"] == "cB"
    for centibels, bucket in enumerate(buckets):  # bucket i holds words of 10^(-i/100)
        for word in bucket:
            yield word, 10 ** (-centibels / 100)


if __name__ == "__main__":
    print(write_table(DATA), DATA)
