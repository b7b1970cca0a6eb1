"""Questions with known answers in random galleries, for fitting confidence.

Matches for each kind of query:

* text to images: a caption matches only its own photo. This is strict: other photos may fit as well, so
  confidence is rather too low than too high. Questions of one or two *visual words* have as much weight,
  since people type those. A word is visual if several people use it for the same photo. It matches photos
  with two captions that have it. Photos with only one such caption are left out, since it is unknown if they
  match.
* image to captions, text to captions: the captions of the same photo.
* image to images: two photos match when their captions could be exchanged. The mean cosine between the
  captions of both must be at least the value that three of four photos reach among their own captions. Pixels
  do not count here. Transformed copies as positives would be too easy: every copy scores close to 1.

There are random galleries of several sizes for every question. At each size one gallery holds an answer and
one holds none, so confidence is the probability for searches of which half have an answer. Distractors are
other dev photos.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twobranch.retrieval.confidence import Bank, QueryKind, features, n_words
from twobranch.train.data import CaptionedPhotos

MOST_PHOTOS = 1000  # of dev: memory grows with photos times captions
_QUESTIONS = 2000  # of a kind at most
_HITS = 10  # looked at in each gallery
# A word is visual if it has at least these values. Agreement: share of the other captions of the same
# photo that have it too. Lift: agreement divided by the share of all captions that have it. "a" has a low
# lift and "looks" a low agreement.
_AGREEMENT, _LIFT = 0.3, 4.0
_DRAWS_A_WORD = 12
_WORD_PAIRS = 500


class Towers(Protocol):
    """The methods of an encoder that calibration uses."""

    def encode_images(self, images: Sequence[Path]) -> NDArray[np.float32]: ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]: ...

    def knows(self, text: str) -> bool: ...


@dataclass(frozen=True)
class EncodedPhotos:
    """Captioned photos with the vectors of an encoder."""

    part: CaptionedPhotos
    photos: NDArray[np.float32]  # (P, D) unit rows
    captions: NDArray[np.float32]  # (C, D) unit rows


@dataclass(frozen=True)
class Embedded:
    """Captioned photos as unit vectors.

    ``photos`` is (P, D) and ``captions`` (C, D); ``items`` (C,) holds the photo of each caption.
    """

    photos: NDArray[np.float32]
    captions: NDArray[np.float32]
    items: NDArray[np.int64]
    lengths: NDArray[np.int64]  # (C,) of captions, in words
    words: NDArray[np.float32]  # (W, D) visual words as queries, and pairs of them
    word_lengths: NDArray[np.int64]  # (W,) 1 or 2
    word_counts: NDArray[np.int64]  # (W, P) captions of each photo with the word, or with the rarer of a pair

    def only(self, kept: NDArray[np.int64]) -> Embedded:
        """Return only these photos and their captions; words stay the same."""
        new = np.full(len(self.photos), -1)
        new[kept] = np.arange(len(kept))
        rows = new[self.items] >= 0
        return Embedded(
            self.photos[kept],
            self.captions[rows],
            new[self.items[rows]],
            self.lengths[rows],
            self.words,
            self.word_lengths,
            self.word_counts[:, kept],
        )


@dataclass(frozen=True)
class Questions:
    """Queries of one kind with their right answers."""

    name: str
    queries: NDArray[np.float32]  # (Q, D)
    lengths: NDArray[np.int64]  # (Q,) in words; 1 for photos
    gallery: NDArray[np.float32]  # (G, D)
    photo_of: NDArray[np.int64]  # (G,) the photo of each gallery row
    own: NDArray[np.int64]  # (Q,) a right photo, which every answerable gallery holds
    relevance: NDArray[np.int8]  # (Q, P) 1 right, 0 wrong, -1 in no gallery
    itself: NDArray[np.int64] | None = None  # (Q,) the gallery row that is the query

    def subset(self, rows: NDArray[np.bool_]) -> Questions:
        """Return only these of the Q questions."""
        return replace(
            self,
            queries=self.queries[rows],
            lengths=self.lengths[rows],
            own=self.own[rows],
            relevance=self.relevance[rows],
            itself=None if self.itself is None else self.itself[rows],
        )


@dataclass(frozen=True)
class Hits:
    """The best hits of many questions in many galleries, R rows."""

    features: NDArray[np.float64]  # (R, F)
    right: NDArray[np.bool_]
    rank: NDArray[np.int64]  # from 1
    answerable: NDArray[np.bool_]  # the gallery holds an answer
    size: NDArray[np.int64]  # of the gallery, in photos
    n_gallery: NDArray[np.int64]  # of the gallery, in rows

    @classmethod
    def concatenate(cls, parts: Sequence[Hits]) -> Hits:
        """Return all rows of all parts."""
        return cls(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))


def visual_words(
    texts: Sequence[str], items: NDArray[np.int64], n_photos: int
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the W visual words, and their counts.

    The counts (W, P) are the captions of each photo that have the word. Visual words are those that people
    agree on for a photo. The language may be any that has spaces.
    """
    counts: dict[str, Counter[int]] = {}
    for text, item in zip(texts, items.tolist(), strict=True):
        for word in set(re.findall(r"[^\W\d_]+", text.lower())):
            counts.setdefault(word, Counter())[item] += 1
    captions = np.bincount(items, minlength=n_photos)
    words = []
    for word, photos in counts.items():
        others = sum(count * (captions[item] - 1) for item, count in photos.items())
        agreement = sum(count * (count - 1) for count in photos.values()) / max(others, 1)
        rate = photos.total() / len(texts)
        if agreement >= max(_AGREEMENT, _LIFT * rate) and sum(n > 1 for n in photos.values()) > 1:
            words.append(word)
    words.sort()
    table = np.zeros((len(words), n_photos), dtype=np.int64)
    for row, word in enumerate(words):
        table[row, list(counts[word])] = list(counts[word].values())
    return words, table


def embed(
    encoder: Towers,
    part: CaptionedPhotos,
    photos: NDArray[np.float32],
    captions: NDArray[np.float32],
    seed: int,
) -> Embedded:
    """Collect encoded dev photos and captions, and encode visual words."""
    rng = np.random.default_rng(seed)
    words, counts = visual_words(part.texts, part.items, len(photos))
    known = [row for row, word in enumerate(words) if encoder.knows(word)]
    words, counts = [words[row] for row in known], counts[known]
    pairs = _word_pairs(counts, rng)
    asked = [*words, *(f"{words[a]} {words[b]}" for a, b in pairs)]
    data = Embedded(
        photos,
        captions,
        part.items,
        np.array([n_words(text) for text in part.texts]),
        encoder.encode_texts(asked),
        np.array([1] * len(words) + [2] * len(pairs)),
        np.concatenate([counts, *(counts[[pair]].min(axis=1) for pair in pairs)]),
    )
    if len(photos) > MOST_PHOTOS:
        kept = rng.choice(len(photos), MOST_PHOTOS, replace=False)
        data = data.only(np.sort(kept))
    return data


def _word_pairs(counts: NDArray[np.int64], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Draw pairs of visual words of the same photo.

    They come from up to 500 photos.
    """
    pairs = set()
    for photo in rng.permutation(counts.shape[1])[:_WORD_PAIRS]:
        said = np.flatnonzero(counts[:, photo] > 1)
        if len(said) > 1:
            first, second = rng.choice(said, 2, replace=False).tolist()
            pairs.add((first, second))
    return sorted(pairs)


def questions(kind: QueryKind, data: Embedded, rng: np.random.Generator) -> list[Questions]:
    """Return the sets of questions of one kind.

    Each set has the same weight in the fit.
    """
    n_photos, every = len(data.photos), np.arange(len(data.photos))
    ones = np.ones(n_photos, dtype=np.int64)
    rows = np.sort(rng.permutation(len(data.captions))[:_QUESTIONS])
    if kind == "text_to_captions":
        several = np.bincount(data.items, minlength=n_photos)[data.items[rows]] > 1
        rows = rows[several][: _QUESTIONS // 2]
    captions, lengths, items = data.captions[rows], data.lengths[rows], data.items[rows]
    described = (items[:, None] == every).astype(np.int8)
    if kind == "text_to_images":
        return [
            Questions("captions", captions, lengths, data.photos, every, items, described),
            *(_word_questions(data, length, rng) for length in (1, 2)),
        ]
    if kind == "text_to_captions":
        return [Questions("captions", captions, lengths, data.captions, data.items, items, described, rows)]
    if kind == "image_to_captions":
        own = np.eye(n_photos, dtype=np.int8)
        return [Questions("photos", data.photos, ones, data.captions, data.items, every, own)]
    alike = _alike(data)
    np.fill_diagonal(alike, -1)  # a photo is not one of its own hits
    asked = np.flatnonzero((alike == 1).any(axis=1))
    answers = np.array([rng.choice(np.flatnonzero(alike[row] == 1)) for row in asked], dtype=np.int64)
    return [Questions("photos", data.photos[asked], ones[asked], data.photos, every, answers, alike[asked])]


def _word_questions(data: Embedded, length: int, rng: np.random.Generator) -> Questions:
    """Return questions of one word or of two.

    Each is asked for up to 12 of the photos that it matches.
    """
    pairs = [
        (word, photo)
        for word in np.flatnonzero(data.word_lengths == length)
        for photo in rng.permutation(np.flatnonzero(data.word_counts[word] > 1))[:_DRAWS_A_WORD]
    ]
    words, own = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    counts = data.word_counts[words]
    relevance = np.where(counts == 1, -1, counts > 1).astype(np.int8)
    every = np.arange(len(data.photos))
    name = "words" if length == 1 else "two words"
    return Questions(name, data.words[words], data.word_lengths[words], data.photos, every, own, relevance)


def _alike(data: Embedded) -> NDArray[np.int8]:
    """Mark the pairs of photos whose captions could be exchanged.

    The result is (P, P), 1 for such pairs and 0 for the others.
    """
    n_captions = np.bincount(data.items, minlength=len(data.photos))
    sums = np.zeros_like(data.photos, dtype=np.float64)
    np.add.at(sums, data.items, data.captions)
    means = sums / np.maximum(n_captions, 1)[:, None]
    several = n_captions > 1
    n, squares = n_captions[several], (sums[several] ** 2).sum(axis=1)
    within = (squares - n) / (n * (n - 1))  # mean cosine of two different captions of one photo
    enough = np.quantile(within, 0.25) if len(within) else np.inf
    return (means @ means.T >= enough).astype(np.int8)


def draw(
    asked: Questions, bank: Bank, sizes: Sequence[int], rng: np.random.Generator, hits: int = _HITS
) -> Hits:
    """Draw random galleries of these sizes, and return their best hits.

    At each size one gallery holds an answer and one holds none.
    """
    scores = asked.queries @ asked.gallery.T
    if asked.itself is not None:
        scores[np.arange(len(scores)), asked.itself] = -np.inf
    background = bank.background(asked.queries)
    n_photos = asked.relevance.shape[1]
    parts = []
    for size in sorted({min(size, n_photos) for size in sizes}):
        for answerable in (True, False):
            order = rng.random((len(scores), n_photos))
            order[asked.relevance == -1] = np.inf
            if answerable:
                order[np.arange(len(order)), asked.own] = -1
            else:
                order[asked.relevance == 1] = np.inf
            last = np.partition(order, size - 1, axis=1)[:, size - 1 : size]
            chosen = (order <= last) & np.isfinite(order)
            parts.append(_best(asked, scores, chosen, background, size, answerable, hits))
    return Hits.concatenate(parts)


def _best(
    asked: Questions,
    scores: NDArray[np.float32],
    chosen: NDArray[np.bool_],
    background: NDArray[np.float64],
    size: int,
    answerable: bool,
    hits: int,
) -> Hits:
    """Return the best hits of every question in its gallery.

    ``chosen`` (Q, P) marks the photos of each gallery.
    """
    within = np.where(chosen[:, asked.photo_of], scores, -np.inf)
    n_gallery = np.count_nonzero(np.isfinite(within), axis=1)
    k = min(hits, within.shape[1])
    best = np.argpartition(-within, k - 1, axis=1)[:, :k]
    best = np.take_along_axis(best, np.argsort(-np.take_along_axis(within, best, 1), axis=1), axis=1)
    top = np.take_along_axis(within, best, axis=1).astype(np.float64)
    real = np.isfinite(top)  # small galleries have fewer than k
    right = np.take_along_axis(asked.relevance, asked.photo_of[best], axis=1) == 1
    ranks = np.broadcast_to(np.arange(1, k + 1), top.shape)
    described = features(np.where(real, top, 0), background, n_gallery, asked.lengths)
    n = int(real.sum())
    return Hits(
        described[real],
        right[real],
        ranks[real],
        np.full(n, answerable),
        np.full(n, size),
        np.broadcast_to(n_gallery[:, None], top.shape)[real],
    )
