"""Ranking by score and words together.

The order is by score + words, where words = WEIGHT * (share of names³ + share of captions³), the shares of
``retrieval.text_match``. Cubes, because one word of six in common is chance, and all of them are meant. On
Flickr8k this is far better than reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009), which knows
only that a photo has some words and so lifts hundreds above the one that was meant: ``benchmarks/words.md``.
A query none of whose words is found leaves the visual ranking as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.vectors.index import Index
from twobranch.retrieval.text_match import WordMatches, content_words, match_words

Ranking = Literal["fused", "visual", "words"]

WEIGHT = 0.3  # in units of the score
POWER = 3
SURE = WEIGHT / 2  # what four of five words are worth: such a photo is meant, whatever it looks like
_DEPTH = 300  # of the visual ranking, before photos are looked for by their words alone
_BLOCK = 4096  # vectors that are compared with the query at a time: 8 MB of 512 dimensions

_Rows = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]  # scores, vector ids, bonuses


@dataclass(frozen=True)
class FusedRanking:
    """Photos in their new order. Their scores are inner products as before, and need not fall."""

    scores: NDArray[np.float32]  # (k,)
    ids: NDArray[np.int64]  # (k,) of vectors
    words: dict[int, float] = field(default_factory=dict)  # what is added, by vector, where it is above 0


@dataclass(frozen=True)
class SearchedPhotos:
    """The photos that are searched, as a (D,) query vector sees them."""

    index: Index
    vector: NDArray[np.float32]
    reader: CatalogReader
    model_id: int
    among: NDArray[np.int64] | None = None  # (n,) vectors; None: all

    def best(self, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k' <= k best: (k',) scores, highest first, and ids of vectors."""
        scores, ids = self.index.search(self.vector[None], k, self.among)
        return scores[0], ids[0]

    def with_scores(self, images: NDArray[np.int64], added: NDArray[np.float64]) -> _Rows:
        """Those of (n,) photos that are among these, with what is added to them.

        The catalogue may know newer photos than the index does, which are left out until that is opened anew.
        """
        vectors = self.reader.vectors_of_images(images.tolist(), self.model_id)
        ids = np.array([vectors.get(image, -1) for image in images.tolist()], dtype=np.int64)
        order = np.argsort(ids)
        ids, added = ids[order], added[order]
        wanted = ids if self.among is None else ids[np.isin(ids, self.among)]
        scores, found = [np.empty(0, np.float32)], [np.empty(0, np.int64)]
        for start in range(0, len(wanted), _BLOCK):
            some = wanted[start : start + _BLOCK]
            rows = self.index.search(self.vector[None], len(some), some)
            scores.append(rows[0][0])
            found.append(rows[1][0])
        there = np.concatenate(found)
        return np.concatenate(scores), there, added[np.searchsorted(ids, there)]


def fused(text: str, photos: SearchedPhotos, top: int, ranking: Ranking = "fused") -> FusedRanking:
    """The ``top`` photos for a sentence, best first.

    "visual" leaves words aside; "words" lists only photos that have some, by what they say, and by score
    where that is equal. No photo that belongs among the ``top`` is missed, however low it looks, as far as
    the index gives the visually best. Raises ``LibraryError``.
    """
    reader = photos.reader
    if ranking == "visual":
        return FusedRanking(*photos.best(top))
    matches = match_words(reader, text, len(photos.index))
    if not len(matches) and ranking == "fused":
        return FusedRanking(*photos.best(top))
    find = _by_words if ranking == "words" else _by_both
    scores, ids, added = find(matches, bonus(matches), photos, top)
    return FusedRanking(
        scores, ids, dict(zip(ids[added > 0].tolist(), added[added > 0].tolist(), strict=True))
    )


def matched_fields(reader: CatalogReader, text: str, images: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """id -> the fields that have a word of the sentence, of those photos that have any. Raises
    ``LibraryError``."""
    return reader.fields_with_words(content_words(text), images)


def bonus(matches: WordMatches) -> NDArray[np.float64]:
    """(n,) what words add to the scores of the photos that have them."""
    return WEIGHT * (matches.names**POWER + matches.captions**POWER)


def _by_both(matches: WordMatches, bonuses: NDArray[np.float64], photos: SearchedPhotos, top: int) -> _Rows:
    scores, ids = photos.best(max(top, _DEPTH))
    images = photos.reader.images_of_vectors(ids.tolist())
    seen = np.array([images.get(id_, 0) for id_ in ids.tolist()], dtype=np.int64)
    at = np.minimum(np.searchsorted(matches.image_ids, seen), len(matches) - 1)
    worded = matches.image_ids[at] == seen
    added = np.where(worded, bonuses[at], 0.0)
    # A photo that was not seen scores at most what the last one does: with less than this added, it stays
    # below the `top` that are known.
    best = np.sort(scores + added)[::-1]
    needed = best[top - 1] - scores[-1] if len(best) >= top else -np.inf
    unseen = bonuses >= needed
    unseen[at[worded]] = False
    more = photos.with_scores(matches.image_ids[unseen], bonuses[unseen])
    rows = (
        np.concatenate([scores, more[0]]),
        np.concatenate([ids, more[1]]),
        np.concatenate([added, more[2]]),
    )
    return _first(rows, rows[0] + rows[2], top)


def _by_words(matches: WordMatches, bonuses: NDArray[np.float64], photos: SearchedPhotos, top: int) -> _Rows:
    kept = np.ones(len(bonuses), bool)
    if photos.among is None and len(bonuses) > top:  # more than `top` where the last ones are equal
        kept = bonuses >= np.partition(bonuses, -top)[-top]
    rows = photos.with_scores(matches.image_ids[kept], bonuses[kept])
    return _first(rows, rows[2], top)


def _first(rows: _Rows, keys: NDArray[np.float64], top: int) -> _Rows:
    """The ``top`` rows with the highest keys; of equal ones the higher score first, then the older vector."""
    scores, ids, added = rows
    order = np.lexsort((ids, -scores, -keys))[:top]
    return scores[order], ids[order], added[order]
