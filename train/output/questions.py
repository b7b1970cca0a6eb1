"""Questions with known answers in random galleries, for fitting confidence.

Matches for each kind of query:

* text to images: a caption matches only its own photo. This is strict: other photos may fit as well, so
  confidence is rather too low than too high. Short questions have as much weight, since people type those:
  - typed queries and names of things (texts of the kinds query, word and label) match their own photo and
    photos whose texts have all their words. Photos whose texts have half of the words are left out, since it
    is unknown if they match.
  - names of objects match the photos whose list has them, in collections that list all objects of a photo.
  - *visual words*, one or two. A word is visual if several people use it for the same photo. It matches
    photos with two captions that have it. Photos with only one such caption, or with fewer than three
    captions in all, are left out.
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

from twobranch.embedding.language import ENGLISH, is_function_word, words
from twobranch.retrieval.confidence import Background, QueryKind, features, n_words
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
_TYPED = {"query": "queries", "word": "names", "label": "names"}  # kinds of texts -> their questions
_FEWEST_CAPTIONS = 3  # of a photo; with fewer it is unknown which words people would agree on
_FEWEST = 50  # photos of a collection; fewer say too little of it


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

    def only(self, kept: NDArray[np.int64]) -> EncodedPhotos:
        """Return only these photos and their captions. ``kept`` are (n,) rising rows."""
        rows = np.isin(self.part.items, kept)
        return EncodedPhotos(self.part.only(kept.tolist()), self.photos[kept], self.captions[rows])


@dataclass(frozen=True)
class ShortQueries:
    """Queries of a few words, with the photos that they match."""

    name: str
    vectors: NDArray[np.float32]  # (Q, D) unit rows
    lengths: NDArray[np.int64]  # (Q,) in words
    own: NDArray[np.int64]  # (Q,) a photo that matches
    relevance: NDArray[np.int8]  # (Q, P) 1 right, 0 wrong, -1 unknown


@dataclass(frozen=True)
class Embedded:
    """Captioned photos of one collection as unit vectors.

    ``photos`` is (P, D) and ``captions`` (C, D); ``items`` (C,) holds the photo of each caption.
    """

    source: str  # the name of the collection
    photos: NDArray[np.float32]
    captions: NDArray[np.float32]
    items: NDArray[np.int64]
    lengths: NDArray[np.int64]  # (C,) of captions, in words
    short: tuple[ShortQueries, ...] = ()


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

    def subset(self, rows: NDArray[np.bool_]) -> Hits:
        """Return only these of the R rows."""
        return Hits(*(values[rows] for values in vars(self).values()))

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


def embed(encoder: Towers, encoded: EncodedPhotos, seed: int) -> list[Embedded]:
    """Collect the encoded dev photos of each collection, and encode short queries.

    Collections of fewer than 50 photos are left out, unless there is only one.
    """
    sources = np.array(encoded.part.sources or ("",) * len(encoded.photos))
    found = []
    for source in sorted(set(sources.tolist())):
        rows = np.flatnonzero(sources == source)
        if len(rows) < min(_FEWEST, len(sources)):
            continue
        rng = np.random.default_rng(seed)
        if len(rows) > MOST_PHOTOS:
            rows = np.sort(rng.choice(rows, MOST_PHOTOS, replace=False))
        found.append(_embed_source(encoder, source, encoded.only(rows), rng))
    return found


def _embed_source(encoder: Towers, source: str, encoded: EncodedPhotos, rng: np.random.Generator) -> Embedded:
    part = encoded.part
    kinds = part.kinds or (None,) * len(part.texts)
    said = np.array([row for row, kind in enumerate(kinds) if kind not in _TYPED], dtype=np.int64)
    sentences = [part.texts[row] for row in said]
    short = [*_typed(encoded), *_objects(encoder, part, rng)]
    short += _visual_words(encoder, sentences, part.items[said], len(encoded.photos), rng)
    return Embedded(
        source,
        encoded.photos,
        encoded.captions[said],
        part.items[said],
        np.array([n_words(text) for text in sentences], dtype=np.int64),
        tuple(short),
    )


def _typed(encoded: EncodedPhotos) -> list[ShortQueries]:
    """Return the typed queries, and the names of things."""
    part, n_photos = encoded.part, len(encoded.photos)
    said: list[set[str]] = [set() for _ in range(n_photos)]
    stems = [_word_stems(text) for text in part.texts]
    for some, item in zip(stems, part.items.tolist(), strict=True):
        said[item] |= some
    for item, objects in enumerate(part.objects):
        said[item] |= {word for name in objects or () for word in _word_stems(name)}
    found = []
    for name in dict.fromkeys(_TYPED.values()):
        rows = [
            row for row, kind in enumerate(part.kinds) if kind and _TYPED.get(kind) == name and stems[row]
        ]
        if not rows:
            continue
        shares = np.array([[len(stems[row] & some) / len(stems[row]) for some in said] for row in rows])
        relevance = np.where(shares == 1, 1, np.where(shares >= 0.5, -1, 0)).astype(np.int8)
        lengths = np.array([n_words(part.texts[row]) for row in rows], dtype=np.int64)
        found.append(ShortQueries(name, encoded.captions[rows], lengths, part.items[rows], relevance))
    return found


def _word_stems(text: str) -> set[str]:
    """Return the words of a text, without the s of plurals.

    This is enough to compare texts about photos.
    """
    said = (word for word in words(text) if not is_function_word(word, ENGLISH))
    return {word.removesuffix("s") if len(word) > 3 else word for word in said}


def _objects(encoder: Towers, part: CaptionedPhotos, rng: np.random.Generator) -> list[ShortQueries]:
    """Return the names of objects, each asked for some of its photos."""
    lists = part.objects or ((None,) * len(part.photos))
    names = sorted({name for some in lists for name in some or ()})
    has = np.array(
        [[-1 if some is None else name in some for some in lists] for name in names], dtype=np.int8
    )
    if not names:
        return []
    return [_asked("objects", encoder.encode_texts(names), [n_words(name) for name in names], has, rng)]


def _visual_words(
    encoder: Towers,
    texts: Sequence[str],
    items: NDArray[np.int64],
    n_photos: int,
    rng: np.random.Generator,
) -> list[ShortQueries]:
    """Return visual words and pairs of them as queries."""
    words, counts = visual_words(texts, items, n_photos)
    known = [row for row, word in enumerate(words) if encoder.knows(word)]
    words, counts = [words[row] for row in known], counts[known]
    pairs = _word_pairs(counts, rng)
    both = np.array([counts[[pair]].min(axis=1)[0] for pair in pairs], dtype=np.int64)
    asked = {
        "words": (words, counts, 1),
        "two words": ([f"{words[a]} {words[b]}" for a, b in pairs], both.reshape(len(pairs), n_photos), 2),
    }
    found = []
    for name, (of, table, length) in asked.items():
        if of:
            relevance = np.where(table == 1, -1, table > 1).astype(np.int8)
            relevance[:, np.bincount(items, minlength=n_photos) < _FEWEST_CAPTIONS] = -1
            found.append(_asked(name, encoder.encode_texts(of), [length] * len(of), relevance, rng))
    return found


def _asked(
    name: str,
    vectors: NDArray[np.float32],
    lengths: Sequence[int],
    relevance: NDArray[np.int8],
    rng: np.random.Generator,
) -> ShortQueries:
    """Ask each query for up to 12 photos that it matches."""
    pairs = [
        (row, photo)
        for row in range(len(relevance))
        for photo in rng.permutation(np.flatnonzero(relevance[row] == 1))[:_DRAWS_A_WORD]
    ]
    rows, own = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return ShortQueries(name, vectors[rows], np.array(lengths)[rows], own, relevance[rows])


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
            *(_short_questions(data, short, every, rng) for short in data.short),
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


def _short_questions(
    data: Embedded, short: ShortQueries, every: NDArray[np.int64], rng: np.random.Generator
) -> Questions:
    """Return short queries as questions, at most 2,000."""
    rows = np.sort(rng.permutation(len(short.vectors))[:_QUESTIONS])
    return Questions(
        short.name,
        short.vectors[rows],
        short.lengths[rows],
        data.photos,
        every,
        short.own[rows],
        short.relevance[rows],
    )


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
    asked: Questions,
    kind: QueryKind,
    background: Background,
    sizes: Sequence[int],
    rng: np.random.Generator,
    hits: int = _HITS,
) -> Hits:
    """Draw random galleries of these sizes, and return their best hits.

    At each size one gallery holds an answer and one holds none.
    """
    scores = asked.queries @ asked.gallery.T
    if asked.itself is not None:
        scores[np.arange(len(scores)), asked.itself] = -np.inf
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
            within = np.where(chosen[:, asked.photo_of], scores, -np.inf)
            facts = background.facts(kind, asked.queries, within)
            parts.append(_best(asked, within, facts, size, answerable, hits))
    return Hits.concatenate(parts)


def _best(
    asked: Questions,
    within: NDArray[np.float32],
    facts: NDArray[np.float64],
    size: int,
    answerable: bool,
    hits: int,
) -> Hits:
    """Return the best hits of every question in its gallery.

    ``within`` are (Q, G) scores, -inf for rows that are not in the gallery of a question.
    """
    n_gallery = np.count_nonzero(np.isfinite(within), axis=1)
    k = min(hits, within.shape[1])
    best = np.argpartition(-within, k - 1, axis=1)[:, :k]
    best = np.take_along_axis(best, np.argsort(-np.take_along_axis(within, best, 1), axis=1), axis=1)
    top = np.take_along_axis(within, best, axis=1).astype(np.float64)
    real = np.isfinite(top)  # small galleries have fewer than k
    right = np.take_along_axis(asked.relevance, asked.photo_of[best], axis=1) == 1
    ranks = np.broadcast_to(np.arange(1, k + 1), top.shape)
    described = features(np.where(real, top, 0), facts, n_gallery, asked.lengths)
    n = int(real.sum())
    return Hits(
        described[real],
        right[real],
        ranks[real],
        np.full(n, answerable),
        np.full(n, size),
        np.broadcast_to(n_gallery[:, None], top.shape)[real],
    )
