"""Text matching: photos that have words of a sentence.

Words are matched with names, folders and keywords, and separately with captions. The result is a *share*: the
part of the sentence's words that a photo has, weighted by their rarity. Words that no photo has do not count:
"germany 2019 beach" has a share of 1 with the folder ``Germany 2019`` when no name has "beach". Photos with
the same words have equal shares; the visual score then decides between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.fulltext import FIELDS
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tokens import runs

# Function words, which say nothing about a photo. "photos of" does not mean the folder `photos` either.
STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "been", "being", "by", "can", "do", "does", "for",
    "from", "had", "has", "have", "he", "her", "hers", "him", "his", "i", "in", "into", "is", "it",
    "its", "me", "my", "no", "not", "of", "off", "on", "onto", "or", "our", "out", "over", "she", "so",
    "some", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "to", "up", "us", "was", "we", "were", "what", "when", "where", "which", "while", "who", "whose",
    "will", "with", "you", "your", "photo", "photos", "picture", "pictures", "image", "images", "pic",
    "pics",
})  # fmt: skip
# Captions use other words than names, and other words are rare in them. So the two are matched separately.
NAMES = tuple(field for field in FIELDS if field != "captions")
CAPTIONS = ("captions",)
_MOST = 0.9  # of all photos; a word that more photos have is ignored
# A word in more captions than this is ignored: it says little. Reading so many ids takes 1 ms.
MOST_CAPTIONED = 10_000


@dataclass(frozen=True)
class WordMatches:
    """Photos that have words of a sentence, with shares.

    Shares are from 0 to 1.
    """

    image_ids: NDArray[np.int64]  # (n,) ascending
    names: NDArray[np.float64]  # (n,) shares in names, folders and keywords
    captions: NDArray[np.float64]  # (n,) shares in captions

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(frozen=True)
class WrittenWords:
    """A container of the ``words`` that the library has.

    They occur in names, folders, keywords or captions. Each word is looked up when ``in`` asks for it, which
    raises ``LibraryError``.
    """

    reader: CatalogReader
    words: frozenset[str]

    def __contains__(self, word: object) -> bool:
        return word in self.words and self.reader.has_word(str(word))

    def among(self, words: Sequence[str]) -> set[str]:
        """Return those of any words that the library has."""
        return self.reader.words_among(words)


def content_words(text: str) -> list[str]:
    """Return the words of a sentence without stop words.

    They are in lower case, each once.
    """
    return [word for word in dict.fromkeys(runs(text)) if word not in STOP_WORDS]


def match_words(reader: CatalogReader, text: str, n_photos: int) -> WordMatches:
    """Find the photos that have words of ``text``.

    ``n_photos`` is the number of photos in the library. Raises ``LibraryError``.
    """
    words = content_words(text)
    if not words or not reader.has_words():
        return combined(_nowhere(), _nowhere())
    sides = []
    for fields, most in ((NAMES, n_photos), (CAPTIONS, MOST_CAPTIONED)):
        counts = [reader.count_word(word, fields) for word in words]  # 50 times as fast as reading the ids
        rare = (word for word, count in zip(words, counts, strict=True) if 0 < count <= most)
        sides.append(shares([reader.images_with_word(word, fields) for word in rare], n_photos))
    return combined(*sides)


def shares(rows: Iterable[NDArray[np.int64]], n_photos: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Compute the shares of photos from the photos of each word.

    ``rows`` has the photo ids of each word. Returns (n,) ids of photos, ascending, and their (n,) shares. A
    word is weighted by its inverse document frequency as in BM25 (Robertson and Zaragoza 2009, with Lucene's
    1 + to keep it positive). A word that nearly all photos have, such as the name of their common folder, has
    weight 0.
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
    """Merge the (ids, shares) of names and captions."""
    # Not union1d: without an index to return, NumPy imports its masked arrays, which takes 6 ms.
    ids, _ = np.unique(np.concatenate([names[0], captions[0]]), return_index=True)
    columns = []
    for side_ids, side_shares in (names, captions):
        column = np.zeros(len(ids))
        column[np.searchsorted(ids, side_ids)] = side_shares
        columns.append(column)
    return WordMatches(ids, *columns)


def _nowhere() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.empty(0, np.int64), np.empty(0)
