"""A catalogue reader that caches its results until the catalogue changes.

A search makes about fifty small look-ups, such as the photos with a word and the facts of a hit. People
repeat words, and the same photos are found again: with the cache a search takes a third less time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.reader import CatalogReader, Found, Gallery

_MOST = 50_000  # hits, of half a kilobyte each
_MOST_NUMBERS = 4_000_000  # ids in the cached lists of photos with a word: 32 MB

_MOST_BEGINNINGS = 1000  # lists of words with the same first letters, mostly of a few words

_Word = tuple[str, tuple[str, ...]]  # a word and the fields it is searched in


class CachingReader(CatalogReader):
    """A catalogue reader that caches its results. It belongs to one thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._clear()

    def _clear(self) -> None:
        self._of_version = self.version()
        self._found: dict[tuple[Gallery, int], Found] = {}
        self._image_of: dict[int, int] = {}
        self._has_words: bool | None = None
        self._counts: dict[_Word, int] = {}
        self._images: dict[_Word, NDArray[np.int64]] = {}
        self._beginning: dict[str, list[str]] = {}
        self._n_numbers = 0

    def clear_if_changed(self) -> None:
        """Clear the cache if the catalogue has changed. Raises ``LibraryError``."""
        if self.version() != self._of_version:
            self._clear()

    def found(self, kind: Gallery, ids: Sequence[int]) -> dict[int, Found]:
        new = [id_ for id_ in ids if (kind, id_) not in self._found]
        if len(self._found) + len(new) > _MOST:
            self._found.clear()
            new = list(ids)
        for id_, item in super().found(kind, new).items():
            self._found[kind, id_] = item
        return {id_: self._found[kind, id_] for id_ in ids if (kind, id_) in self._found}

    def images_of_vectors(self, ids: Sequence[int]) -> dict[int, int]:
        new = [id_ for id_ in ids if id_ not in self._image_of]
        if len(self._image_of) + len(new) > _MOST:
            self._image_of.clear()
            new = list(ids)
        self._image_of.update(super().images_of_vectors(new))
        return {id_: self._image_of[id_] for id_ in ids if id_ in self._image_of}

    def has_words(self) -> bool:
        if self._has_words is None:
            self._has_words = super().has_words()
        return self._has_words

    def count_word(self, word: str, fields: Sequence[str]) -> int:
        key = word, tuple(fields)
        if key not in self._counts:
            if len(self._counts) >= _MOST:
                self._counts.clear()
            self._counts[key] = super().count_word(word, fields)
        return self._counts[key]

    def images_with_word(self, word: str, fields: Sequence[str]) -> NDArray[np.int64]:
        key = word, tuple(fields)
        if key not in self._images:
            images = super().images_with_word(word, fields)
            if self._n_numbers + len(images) > _MOST_NUMBERS or len(self._images) >= _MOST:
                self._images.clear()
                self._n_numbers = 0
            images.flags.writeable = False  # the cached array is shared by all callers
            self._images[key] = images
            self._n_numbers += len(images)
        return self._images[key]

    def words_beginning(self, letters: str) -> list[str]:
        if letters not in self._beginning:
            if len(self._beginning) >= _MOST_BEGINNINGS:
                self._beginning.clear()
            self._beginning[letters] = super().words_beginning(letters)
        return self._beginning[letters]
