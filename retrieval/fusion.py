"""Ranking by score and words together.

Photos are ordered by score + words, where words = WEIGHT * (share of names³ * agreement + share of
captions³), with the shares of ``retrieval.text_match``. The shares are cubed because one common word of six
is likely chance, while six of six are not. On Flickr8k this is far better than reciprocal rank fusion
(Cormack, Clarke, Buettcher, SIGIR 2009), which only uses that a photo has some of the words, and so ranks
hundreds of photos above the right one (``benchmarks/words.md``). If no word of the query is found, the visual
ranking stays.

WEIGHT was chosen on the shipped model. For a model whose scores lie closer together, words add less in
proportion (``retrieval.background.ScoreScales``): else a photo with a word would always come first.

Names often have a word of the query by chance: the photos of ``101APPLE`` show no apples. So where a single
everyday word matches (``embedding.everyday``), the pixels decide whether it counts: the *agreement* of such a
photo is below 1. It rises with how many of the visually best photos have the word, compared with chance among
the searched photos, and with the photo's own place among the best. The place does not matter if most photos
with the word are there: then the name says what they show. Names, years and two or more words count in full
(agreement 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.vectors.index import Index
from twobranch.retrieval.regions import SearchedRegions
from twobranch.retrieval.text_match import WordMatches, match_words

Ranking = Literal["fused", "visual", "words"]

WEIGHT = 0.3  # in scores of the shipped model
POWER = 3
_DEPTH = 300  # hits taken from the visual ranking; photos below it are found by their words alone
_BEST = 4  # the visually best photos are one in so many, but at most _DEPTH
_FULL_LIFT = 3.0  # a word counts in full if so many times as many of the best photos have it as by chance
_BLOCK = 4096  # vectors compared with the query at once: 8 MB with 512 dimensions

_Rows = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]  # scores, vector ids, bonuses


@dataclass(frozen=True)
class FusedRanking:
    """Photos in their fused order.

    Scores are still inner products. So they may rise from one hit to the next.
    """

    scores: NDArray[np.float32]  # (k,)
    ids: NDArray[np.int64]  # (k,) of vectors
    words: dict[int, float] = field(default_factory=dict)  # vector id -> bonus, where that is above 0
    forms: tuple[str, ...] = ()  # the words of the sentence, with their other forms
    known: float = 1.0  # the share of the sentence's words that any photo has


@dataclass(frozen=True)
class SearchedPhotos:
    """The photos that are searched, and the (D,) query vector."""

    index: Index
    vector: NDArray[np.float32]
    reader: CatalogReader
    model_id: int
    among: NDArray[np.int64] | None = None  # (n,) vectors; None: all
    regions: SearchedRegions | None = None  # their windows, in a library with regions
    spread: float = 1.0  # of the model's scores, in that of the shipped model

    def best(self, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the best scores and vector ids, highest score first.

        Both have shape (k',), k' <= k. A photo may have the score of one of its windows.
        """
        scores, ids = (rows[0] for rows in self.index.search(self.vector[None], k, self.among))
        if self.regions is None:
            return scores, ids
        lifted, photos = self.regions.folded(self.vector, scores, ids, k)
        added = np.setdiff1d(photos, ids)
        if not len(added):
            return lifted, photos
        # Windows may be of photos that are newer than the index of photos. They wait until it is opened anew.
        known = self.index.search(self.vector[None], len(added), added)[1][0]
        there = np.isin(photos, np.concatenate([ids, known]))
        return lifted[there], photos[there]

    def having(self, images: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the searched ones of (n,) photos, in any order.

        Looks up the shorter list: 2 to 4 microseconds a photo.
        """
        if self.among is None:
            return images
        if len(self.among) <= len(images):
            there = self.reader.images_of_vectors(self.among.tolist()).values()
            return np.fromiter(there, dtype=np.int64)
        vectors = self.reader.vectors_of_images(images.tolist(), self.model_id)
        ids = np.fromiter(vectors, dtype=np.int64)
        return ids[np.isin(np.fromiter(vectors.values(), dtype=np.int64), self.among)]

    def with_scores(self, images: NDArray[np.int64], added: NDArray[np.float64]) -> _Rows:
        """Return the searched ones of (n,) photos, with their bonuses.

        The catalogue may have photos that are newer than the index. They are left out until the index is
        opened again.
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
            scores.append(self._lifted(rows[0][0], rows[1][0]))
            found.append(rows[1][0])
        there = np.concatenate(found)
        return np.concatenate(scores), there, added[np.searchsorted(ids, there)]

    def _lifted(self, scores: NDArray[np.float32], ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the (n,) scores of photos or of their windows."""
        if self.regions is None:
            return scores
        images = self.reader.images_of_vectors(ids.tolist())
        windows = self.regions.of_photos(self.vector, list(images.values()))
        of_windows = [
            windows[images[id_]].score if images.get(id_) in windows else -np.inf for id_ in ids.tolist()
        ]
        return np.maximum(scores, np.asarray(of_windows, dtype=np.float32))


def fused(
    text: str, photos: SearchedPhotos, top: int, ranking: Ranking = "fused", language: str | None = None
) -> FusedRanking:
    """Rank the ``top`` photos for a sentence, best first.

    "visual" does not use words. "words" lists only photos that have words of the sentence, ordered by their
    bonus, then by score; pixels do not change this bonus. A photo that belongs among the ``top`` is found
    however low its visual rank is, as long as the index returns the visually best photos. Raises
    ``LibraryError``.
    """
    if ranking == "visual":
        return FusedRanking(*photos.best(top))
    matches = match_words(photos.reader, text, len(photos.index), language)
    if not len(matches) and ranking == "fused":
        return FusedRanking(*photos.best(top))
    find = _by_words if ranking == "words" else _by_both
    scores, ids, added = find(matches, photos, top)
    bonuses = dict(zip(ids[added > 0].tolist(), added[added > 0].tolist(), strict=True))
    return FusedRanking(scores, ids, bonuses, matches.forms, matches.known)


def bonus(
    matches: WordMatches, agreement: NDArray[np.float64] | float = 1.0, spread: float = 1.0
) -> NDArray[np.float64]:
    """Return the (n,) bonuses that words add to scores.

    ``spread`` is that of the model's scores, in that of the shipped model.
    """
    return WEIGHT * spread * (matches.names**POWER * agreement + matches.captions**POWER)


def n_best(n_searched: int) -> int:
    """Return the number of visually best photos, at least 1."""
    return max(1, min(_DEPTH, n_searched // _BEST))


def agreement(
    matches: WordMatches, best: NDArray[np.int64], scores: NDArray[np.floating], n_searched: int
) -> NDArray[np.float64]:
    """Return the (n,) agreements of pixels with words, from 0 to 1.

    ``best`` are the (B,) ids of the visually best photos, best first, ``scores`` their (B,) scores.
    ``n_searched`` is the number of searched photos; ``matches.everyday`` has only these. The agreement is 1
    where more than a single everyday word matches, and 0 for such a word that all searched photos have.
    """
    unsure = matches.lone >= 0
    agreements = np.where(unsure, 0.0, 1.0)
    if not unsure.any() or not len(best):
        return agreements
    span = scores[0] - scores[-1]
    looks = (scores - scores[-1]) / span if span > 0 else np.ones(len(best))
    at = np.minimum(np.searchsorted(matches.image_ids, best), len(matches) - 1)
    found = matches.image_ids[at] == best
    for place, photos in matches.everyday.items():
        n_found = int(np.isin(best, photos).sum())
        lift = (n_found + 1) / (len(best) * len(photos) / n_searched + 1)
        factor = np.clip((lift - 1) / (_FULL_LIFT - 1), 0, 1)
        if 2 * n_found > len(photos) + 2:  # most of them, and not one or two by chance
            agreements[matches.lone == place] = factor
        else:
            its = found & (matches.lone[at] == place)
            agreements[at[its]] = factor * looks[its]
    return agreements


def bonus_with_scores(
    matches: WordMatches, scores: NDArray[np.floating], spread: float = 1.0
) -> NDArray[np.float64]:
    """Return the (n,) bonuses, given the scores of all photos.

    ``scores`` are (I,), and the ids of the photos are their places in it; ``spread`` is as in ``bonus``.
    """
    best = np.argsort(-scores, kind="stable")[: n_best(len(scores))]
    return bonus(matches, agreement(matches, best, scores[best], len(scores)), spread)


def _with_everyday_among(matches: WordMatches, photos: SearchedPhotos) -> WordMatches:
    """Leave out photos that are not searched from those of everyday words."""
    if photos.among is None or not matches.everyday:
        return matches
    there = photos.having(np.concatenate(list(matches.everyday.values())))
    everyday = {place: ids[np.isin(ids, there)] for place, ids in matches.everyday.items()}
    return replace(matches, everyday=everyday)


def _by_both(matches: WordMatches, photos: SearchedPhotos, top: int) -> _Rows:
    scores, ids = photos.best(max(top, _DEPTH))
    images = photos.reader.images_of_vectors(ids.tolist())
    seen = np.array([images.get(id_, 0) for id_ in ids.tolist()], dtype=np.int64)
    n_searched = len(photos.index) if photos.among is None else len(photos.among)
    best = n_best(n_searched)
    searched = _with_everyday_among(matches, photos)
    agreements = agreement(searched, seen[:best], scores[:best], n_searched)
    bonuses = bonus(matches, agreements, photos.spread)
    at = np.minimum(np.searchsorted(matches.image_ids, seen), len(matches) - 1)
    worded = matches.image_ids[at] == seen
    added = np.where(worded, bonuses[at], 0.0)
    # A photo outside the visual ranking scores at most as much as the last one in it. With a smaller bonus
    # than `needed` it stays below the `top` photos known so far.
    keys = np.sort(scores + added)[::-1]
    needed = keys[top - 1] - scores[-1] if len(keys) >= top else -np.inf
    unseen = bonuses >= needed
    unseen[at[worded]] = False
    more = photos.with_scores(matches.image_ids[unseen], bonuses[unseen])
    rows = (
        np.concatenate([scores, more[0]]),
        np.concatenate([ids, more[1]]),
        np.concatenate([added, more[2]]),
    )
    return _first(rows, rows[0] + rows[2], top)


def _by_words(matches: WordMatches, photos: SearchedPhotos, top: int) -> _Rows:
    bonuses = bonus(matches, spread=photos.spread)
    kept = np.ones(len(bonuses), bool)
    if photos.among is None and len(bonuses) > top:  # keeps more than `top` if the last ones are equal
        kept = bonuses >= np.partition(bonuses, -top)[-top]
    rows = photos.with_scores(matches.image_ids[kept], bonuses[kept])
    return _first(rows, rows[2], top)


def _first(rows: _Rows, keys: NDArray[np.float64], top: int) -> _Rows:
    """Return the ``top`` rows with the highest keys.

    Equal keys are ordered by score, highest first, then by vector id, lowest first.
    """
    scores, ids, added = rows
    order = np.lexsort((ids, -scores, -keys))[:top]
    return scores[order], ids[order], added[order]
