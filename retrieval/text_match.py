"""Text matching: photos that have words of a sentence.

Words are matched with names, folders and keywords, and separately with captions. A word matches in its other
forms too ("receipts" for "receipt"). The result is a *share*: the part of the sentence's words that a photo
has, weighted by their rarity. Words that no photo has do not count, as long as others are a third of the
sentence: "germany 2019 beach" has a share of 1 with the folder ``Germany 2019`` when no name has "beach". One
word of a caption of fourteen is more likely chance, and its share is smaller. Photos with the same words have
equal shares; the visual score then decides between them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.everyday import is_everyday
from twobranch.embedding.language import ENGLISH, language_of
from twobranch.embedding.stop_words import is_stop_word
from twobranch.indexer.catalog.fulltext import FIELDS
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tokens import runs
from twobranch.retrieval.word_forms import word_forms

# Captions use other words than names, and other words are rare in them. So the two are matched separately.
NAMES = tuple(field for field in FIELDS if field != "captions")
CAPTIONS = ("captions",)
_MOST = 0.9  # of all photos; a word that more photos have is ignored
# A word in more captions than this is ignored: it says little. Reading so many ids takes 1 ms.
MOST_CAPTIONED = 10_000
_ENOUGH = 1 / 3  # of a sentence's words; where photos have fewer of them, shares are reduced
_EVERYDAY = 0.5  # weight of an everyday word: a place or year of the query says more of a name
_LONGEST_COUNT = 2  # digits; longer numbers are years, dates, invoices
# Other forms of a word that more photos have are not looked for: the full-text table reads all their
# occurrences, which takes 1 ms for 20,000.
_MOST_WITH_FORMS = 3000

_Rows = NDArray[np.int64]  # (n,) photo ids, ascending
_Count = Callable[[str, tuple[str, ...]], int]  # of photos with a word in some fields


@dataclass(frozen=True)
class Shares:
    """Photos that have words of a sentence in one kind of text."""

    image_ids: NDArray[np.int64]  # (n,) ascending
    shares: NDArray[np.float64]  # (n,) from 0 to 1
    lone: NDArray[np.int64]  # (n,) the place of the photo's word if it has a single one, else -1


@dataclass(frozen=True)
class WordMatches:
    """Photos that have words of a sentence, with shares.

    Shares are from 0 to 1.
    """

    image_ids: NDArray[np.int64]  # (n,) ascending
    names: NDArray[np.float64]  # (n,) shares in names, folders and keywords
    captions: NDArray[np.float64]  # (n,) shares in captions
    lone: NDArray[np.int64]  # (n,) the key in `everyday` if the names have that word alone, else -1
    everyday: Mapping[int, _Rows]  # the photos with each everyday word of the sentence in their names
    forms: tuple[str, ...] = ()  # the words of the sentence, with their other forms
    known: float = 1.0  # the share of the sentence's words that any photo has

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


def content_words(text: str, language: str = ENGLISH) -> list[str]:
    """Return the words of a sentence without stop words.

    They are in lower case, each once. Single letters are left out: the s of "man's" says nothing. Stop words
    of other languages than English are left out only beside other words: "como" alone is a lake, not "as".
    """
    found = [word for word in dict.fromkeys(runs(text)) if not _is_letter(word)]
    content = [word for word in found if not is_stop_word(word, language)]
    if not any(map(str.isalpha, content)):
        return [word for word in found if not is_stop_word(word, ENGLISH)]
    return content


def match_words(reader: CatalogReader, text: str, n_photos: int, language: str | None = None) -> WordMatches:
    """Find the photos that have words of ``text``.

    ``n_photos`` is the number of photos in the library. ``language`` is told from the text if it is None.
    Raises ``LibraryError``.
    """
    language = language or language_of(text)
    words = content_words(text, language)
    if not words or not reader.has_words():
        return combined(shares([], n_photos), shares([], n_photos), {})
    count = cache(reader.count_word)  # takes 1 ms for 20,000 photos
    forms = [_forms(reader, count, word, language) for word in words]
    names = [_photos_with(reader, count, some, NAMES) for some in forms]
    rare = [some for some in forms if sum(count(form, CAPTIONS) for form in some) <= MOST_CAPTIONED]
    captions = [_photos_with(reader, count, some, CAPTIONS) for some in rare]
    everyday = everyday_rows(words, names, language)
    found = combined(
        shares(names, n_photos, everyday=everyday),
        shares(captions, n_photos, len(forms) - len(rare)),
        everyday,
    )
    known = sum(
        len(ids) > 0 or any(count(form, CAPTIONS) for form in some)
        for ids, some in zip(names, forms, strict=True)
    )
    return replace(found, forms=tuple(form for some in forms for form in some), known=known / len(forms))


def shares(
    rows: Sequence[_Rows], n_photos: int, n_ignored: int = 0, everyday: Collection[int] = ()
) -> Shares:
    """Compute the shares of photos from the photos of each word.

    ``rows`` has the photo ids of each word of a sentence, ``n_ignored`` is the number of further words, which
    are known and do not count. ``everyday`` has the places of everyday words in ``rows``. A word is weighted
    by its inverse document frequency as in BM25 (Robertson and Zaragoza 2009, with Lucene's 1 + to keep it
    positive); an everyday word has half that weight, and one that nearly all photos have, such as the name of
    their common folder, has none.
    """
    known = [(place, ids) for place, ids in enumerate(rows) if 0 < len(ids) <= max(_MOST * n_photos, 1)]
    if not known:
        return Shares(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
    n_known = n_ignored + sum(len(ids) > 0 for ids in rows)
    counts = np.array([len(ids) for _, ids in known])
    weights = np.log(1 + (n_photos - counts + 0.5) / (counts + 0.5))
    weights[[place in everyday for place, _ in known]] *= _EVERYDAY
    ids, at = np.unique(np.concatenate([ids for _, ids in known]), return_inverse=True)
    sums = np.bincount(at, np.repeat(weights, counts), len(ids))
    places = np.bincount(at, np.repeat([place for place, _ in known], counts), len(ids)).astype(np.int64)
    enough = min(1.0, n_known / (_ENOUGH * (len(rows) + n_ignored)))
    return Shares(ids, enough * sums / weights.sum(), np.where(np.bincount(at) == 1, places, -1))


def everyday_rows(words: Sequence[str], rows: Sequence[_Rows], language: str) -> dict[int, _Rows]:
    """Map the places of everyday words to the photos that have them.

    Numbers of one or two digits count as everyday words: they are counts, as in "2 dogs".
    """
    return {
        place: ids
        for place, (word, ids) in enumerate(zip(words, rows, strict=True))
        if len(ids) and (is_everyday(word, language) or (word.isdigit() and len(word) <= _LONGEST_COUNT))
    }


def combined(names: Shares, captions: Shares, everyday: Mapping[int, _Rows]) -> WordMatches:
    """Merge the shares in names and in captions.

    ``everyday`` has the photos of the everyday words among those of ``names``, by their places there.
    """
    # Not union1d: without an index to return, NumPy imports its masked arrays, which takes 6 ms.
    ids, _ = np.unique(np.concatenate([names.image_ids, captions.image_ids]), return_index=True)
    by_name, by_caption, lone = np.zeros(len(ids)), np.zeros(len(ids)), np.full(len(ids), -1)
    at = np.searchsorted(ids, names.image_ids)
    by_name[at] = names.shares
    lone[at] = np.where(np.isin(names.lone, list(everyday)), names.lone, -1)
    by_caption[np.searchsorted(ids, captions.image_ids)] = captions.shares
    return WordMatches(ids, by_name, by_caption, lone, everyday)


def _forms(reader: CatalogReader, count: _Count, word: str, language: str) -> tuple[str, ...]:
    if count(word, NAMES) + count(word, CAPTIONS) > _MOST_WITH_FORMS:
        return (word,)
    return word_forms(word, language, reader.words_beginning)


def _photos_with(
    reader: CatalogReader, count: _Count, forms: Sequence[str], fields: tuple[str, ...]
) -> _Rows:
    """Return the ids of photos with a word in any form."""
    # Counting first takes a fiftieth of the time of reading ids.
    rows = [reader.images_with_word(form, fields) for form in forms if count(form, fields)]
    if len(rows) == 1:
        return rows[0]
    return np.unique(np.concatenate([np.empty(0, np.int64), *rows]), return_index=True)[0]


def _is_letter(word: str) -> bool:
    """Return True for a single letter; a Chinese character is a word."""
    return len(word) == 1 and word.lower() != word.upper()
