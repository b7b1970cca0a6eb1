"""Photos that have words of a sentence, in names, folders and keywords or in captions.

What words say is a *share*: of the words of the sentence that occur there at all, weighted by how rare they
are, how many a photo has. "germany 2019 beach" has a share of 1 with the folder ``Germany 2019`` when no name
says beach. Photos that have the same words are equal: which of them is meant is for the eye to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.fulltext import FIELDS
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tokens import runs

# What a sentence needs and no photo is looked for by; nor does "photos of" mean the folder `photos`.
STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "been", "being", "by", "can", "do", "does", "for",
    "from", "had", "has", "have", "he", "her", "hers", "him", "his", "i", "in", "into", "is", "it",
    "its", "me", "my", "no", "not", "of", "off", "on", "onto", "or", "our", "out", "over", "she", "so",
    "some", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "to", "up", "us", "was", "we", "were", "what", "when", "where", "which", "while", "who", "whose",
    "will", "with", "you", "your", "photo", "photos", "picture", "pictures", "image", "images", "pic",
    "pics",
})  # fmt: skip
# Captions speak another language than names, and what is rare differs: they are looked at apart.
NAMES = tuple(field for field in FIELDS if field != "captions")
CAPTIONS = ("captions",)
_MOST = 0.9  # of all photos
# A word that more captions have says little. Reading where it stands takes 1 ms.
MOST_CAPTIONED = 10_000


@dataclass(frozen=True)
class WordMatches:
    """Photos that have words of a sentence, and their shares of it, 0 to 1."""

    image_ids: NDArray[np.int64]  # (n,) rising
    names: NDArray[np.float64]  # (n,) of what names, folders and keywords know
    captions: NDArray[np.float64]  # (n,) of what captions know

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(frozen=True)
class WrittenWords:
    """Those of ``words`` that names, folders, keywords or captions have.

    Each is looked up when it is asked for, which raises ``LibraryError``.
    """

    reader: CatalogReader
    words: frozenset[str]

    def __contains__(self, word: object) -> bool:
        return word in self.words and self.reader.has_word(str(word))


def content_words(text: str) -> list[str]:
    """The words of a sentence that mean something, in lower case, each once."""
    return [word for word in dict.fromkeys(runs(text)) if word not in STOP_WORDS]


def match_words(reader: CatalogReader, text: str, n_photos: int) -> WordMatches:
    """The photos of a library of ``n_photos`` that have words of ``text``. Raises ``LibraryError``."""
    words = content_words(text)
    if not words or not reader.has_words():
        return combined(_nowhere(), _nowhere())
    sides = []
    for fields, most in ((NAMES, n_photos), (CAPTIONS, MOST_CAPTIONED)):
        counts = [reader.count_word(word, fields) for word in words]  # 50 times as fast as reading them
        rare = (word for word, count in zip(words, counts, strict=True) if 0 < count <= most)
        sides.append(shares([reader.images_with_word(word, fields) for word in rare], n_photos))
    return combined(*sides)


def shares(rows: Iterable[NDArray[np.int64]], n_photos: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n,) ids of photos, rising, and their (n,) shares, for the ids of photos that have each of the words.

    A word counts by its inverse document frequency as BM25 has it (Robertson and Zaragoza 2009, with Lucene's
    1 + to keep it positive); one that nearly all photos have, such as the folder that holds them, by nothing.
    """
    known = [ids for ids in rows if 0 < len(ids) <= max(_MOST * n_photos, 1)]
    if not known:
        return _nowhere()
    counts = np.array([len(ids) for ids in known], dtype=np.float64)
    weights = np.log(1 + (n_photos - counts + 0.5) / (counts + 0.5))
    ids, at = np.unique(np.concatenate(known), return_inverse=True)
    sums = np.bincount(at, np.repeat(weights, counts.astype(np.int64)), len(ids))
    return ids, sums / weights.sum()


def combined(
    names: tuple[NDArray[np.int64], NDArray[np.float64]],
    captions: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> WordMatches:
    """Both sides' (ids, shares) over the photos of either."""
    # Not union1d: without an index to return NumPy imports its masked arrays, 6 ms.
    ids, _ = np.unique(np.concatenate([names[0], captions[0]]), return_index=True)
    columns = []
    for side_ids, side_shares in (names, captions):
        column = np.zeros(len(ids))
        column[np.searchsorted(ids, side_ids)] = side_shares
        columns.append(column)
    return WordMatches(ids, *columns)


def _nowhere() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.empty(0, np.int64), np.empty(0)
