"""Exploration of a model's errors on a split.

Every caption and photo of the split is a query, with its exact rank and the hits ranked above its positives.
The ranks are those of ``eval``'s exact search. They are computed once per split and kept while its vectors
stay the same: ids of vectors are never reused, so equal ids mean equal vectors.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError, UserError
from twobranch.indexer.captionfiles.corpus import canonical_split
from twobranch.indexer.catalog.evaluations import count_pairs_by_split
from twobranch.indexer.catalog.reader import CatalogReader, Gallery
from twobranch.indexer.catalog.tables import Catalog, Model, active_model
from twobranch.indexer.catalog.vectors import encoded_captions
from twobranch.indexer.vectors.exact import VectorIndex, open_exact
from twobranch.retrieval.background_file import LibraryConfidence
from twobranch.retrieval.confidence import Calibration
from twobranch.retrieval.evaluation.evaluate import check_unchanged
from twobranch.retrieval.evaluation.metrics import RetrievalMetrics, ranks_both_ways, retrieval_metrics
from twobranch.retrieval.evaluation.pairs import Pairs, pairs_of_models
from twobranch.retrieval.evaluation.ranks import scores_of_pairs

Direction = Literal["text_to_image", "image_to_text"]
Order = Literal["worst", "best", "closest", "caption"]
_SPLITS_KEPT = 3  # each takes about 100 bytes per query
_BLOCK = 512  # queries scored at once: 50 MB with a gallery of 25,000
_ROWS = 4096  # gallery rows converted to float64 at once: 17 MB with 512 dimensions


@dataclass(frozen=True)
class Side:
    """The captions or the photos of a split.

    They are the queries of one direction and the gallery of the other.
    """

    kind: Gallery
    ids: NDArray[np.int64]  # (N,) of captions or photos
    items: NDArray[np.int64]  # (N,) ids of photos; a caption and a photo with the same item are positives
    vector_ids: NDArray[np.int64]  # (N,)
    index: VectorIndex
    rows: NDArray[np.int64]  # (N,) rows of their vectors in the index

    def vectors(self, some: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.float32]:
        """Return the (n, D) vectors of some of them."""
        return self.index.rows[self.rows[some]]

    def scores(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (N,) scores with a (D,) query.

        They are defined as in ``retrieval.evaluation.ranks``.
        """
        blocks = (self.vectors(slice(start, start + _ROWS)) for start in range(0, len(self.rows), _ROWS))
        return np.concatenate([scores_of_pairs(block, query[None]) for block in blocks])


@dataclass(frozen=True)
class Outcome:
    """Ranks and scores of the queries of one direction."""

    ranks: NDArray[np.int64]  # (Q,)
    truth: NDArray[np.float32]  # (Q,) the score of the best positive
    wrong: NDArray[np.float32]  # (Q,) the score of the best negative; -inf without negatives

    @property
    def best(self) -> NDArray[np.float32]:
        """The (Q,) scores of the first hits."""
        return np.maximum(self.truth, self.wrong)


@dataclass(frozen=True)
class Ranked:
    """One item of the gallery, ranked for a query."""

    row: int  # in the gallery
    rank: int  # its place; of equal scores, negatives come first, as in the query's rank
    score: float
    true: bool


@dataclass(frozen=True)
class Found:
    """The ranked gallery of one query."""

    hits: tuple[Ranked, ...]  # the first ones
    truths: tuple[Ranked, ...]  # all positives, best first; the first one has the query's rank


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram of ranks.

    ``queries`` is the number of queries with a rank from ``first`` to ``last``.
    """

    first: int
    last: int
    queries: int


def histogram(ranks: NDArray[np.int64], n_gallery: int) -> list[Bar]:
    """Count ranks in the bars of a histogram.

    Bars end at 1, 2, 5, 10, 20, 50 …; the last one ends at the size of the gallery.
    """
    ends = [1]
    while ends[-1] < n_gallery:
        ends.append(ends[-1] * 5 // 2 if str(ends[-1])[0] == "2" else ends[-1] * 2)
    counts = np.bincount(np.searchsorted(ends, ranks), minlength=len(ends)).tolist()
    firsts = [1, *(end + 1 for end in ends)]
    return [
        Bar(first, min(last, n_gallery), count)
        for first, last, count in zip(firsts, ends, counts, strict=False)
    ]


@dataclass(frozen=True)
class Exploration:
    """A split with the outcome of every query, both ways."""

    split: str | None
    model: str  # its label: the name and the options used for indexing
    model_name: str
    captions: Side
    photos: Side
    texts: tuple[str, ...]  # (C,) of the captions
    outcomes: dict[Direction, Outcome]
    metrics: RetrievalMetrics

    def queries(self, direction: Direction) -> Side:
        """Return the side with the queries of a direction."""
        return self.captions if direction == "text_to_image" else self.photos

    def gallery(self, direction: Direction) -> Side:
        """Return the side that is searched in a direction."""
        return self.photos if direction == "text_to_image" else self.captions

    def containing(self, direction: Direction, words: str) -> NDArray[np.int64]:
        """Return the rows of queries whose captions contain a text.

        For a photo, one of its captions must contain it. Case does not matter.
        """
        wanted = words.casefold().strip()
        having = [row for row, text in enumerate(self.texts) if wanted in text.casefold()]
        if direction == "text_to_image":
            return np.array(having, dtype=np.int64)
        return np.flatnonzero(np.isin(self.photos.items, self.captions.items[having]))

    def ordered(self, direction: Direction, rows: NDArray[np.int64], order: Order) -> NDArray[np.int64]:
        """Sort rows of queries.

        With ``closest``, queries whose positive missed the first rank by the smallest score come first, and
        queries with a positive at rank 1 come last.
        """
        outcome, ids = self.outcomes[direction], self.queries(direction).ids[rows]
        ranks, gaps = outcome.ranks[rows], (outcome.best - outcome.truth)[rows]
        keys: dict[Order, tuple[NDArray[np.generic], ...]] = {
            "worst": (ids, -gaps, -ranks),
            "best": (ids, -outcome.truth[rows], ranks),
            "closest": (ids, gaps, ranks == 1),
            "caption": (ids,),
        }
        return rows[np.lexsort(keys[order])]

    def find(self, direction: Direction, row: int, top: int) -> Found:
        """Rank the gallery for one query.

        Returns the ``top`` first hits, and all positives with their ranks.
        """
        queries, gallery = self.queries(direction), self.gallery(direction)
        scores = gallery.scores(queries.vectors(np.array([row]))[0])
        true = gallery.items == queries.items[row]
        order = np.lexsort((gallery.ids, true, -scores))
        places = np.flatnonzero(true[order])

        def at(place: int) -> Ranked:
            number = int(order[place])
            return Ranked(number, place + 1, float(scores[number]), bool(true[number]))

        return Found(
            tuple(at(place) for place in range(min(top, len(order)))),
            tuple(at(place) for place in places.tolist()),
        )


@dataclass(frozen=True)
class Split:
    """A split, with its numbers of searchable captions and photos.

    The name None is for captions without a split.
    """

    name: str | None
    captions: int
    photos: int


class Explorer:
    """An explorer of the splits of a library. For use by one thread only."""

    def __init__(self, library: Path) -> None:
        self.library = library
        self.catalog = Catalog.open(library)
        self.reader = CatalogReader.open(library)
        self._kept: OrderedDict[str | None, tuple[int, Pairs, Exploration]] = OrderedDict()

    def close(self) -> None:
        self.reader.close()
        self.catalog.close()

    def splits(self) -> list[Split]:
        """List the splits that can be explored, the largest last."""
        with self.catalog.session() as session:
            model = active_model(session)
            if model is None:
                return []
            return [Split(*row) for row in count_pairs_by_split(session, model.id)]

    def estimated_confidence(self) -> Calibration | None:
        """Return the calibration that `index` estimated, if it did."""
        model = self.reader.active_model()
        return None if model is None else LibraryConfidence(self.library).calibration(model)

    def explore(self, split: str | None) -> Exploration:
        """Rank all queries of a split; None: of all captions.

        Results are kept in memory for the next call. Raises ``UserError`` if there are no pairs,
        ``LibraryError`` if the model has changed or the library is changing at this moment.
        """
        name = canonical_split(split)
        version = self.reader.version()  # read first: later commits are noticed by the next call
        kept = self._kept.get(name)
        if kept is None or kept[0] != version:
            with self.catalog.session() as session:
                model = active_model(session)
                if model is None:
                    raise UserError("nothing is indexed yet; run `index PATH --captions FILE`")
                (of_model,) = pairs_of_models(session, [model], name)
                pairs = of_model.pairs
                if kept is None or not _same(kept[1], pairs):
                    check_unchanged(model)
                    captions = encoded_captions(session, model.id)
                    kept = (version, pairs, self._explored(pairs, model, captions))
            self._kept[name] = (version, *kept[1:])
        self._kept.move_to_end(name)
        while len(self._kept) > _SPLITS_KEPT:
            self._kept.popitem(last=False)
        return self._kept[name][2]

    def _explored(
        self, pairs: Pairs, model: Model, captions_by_vector: dict[int, tuple[int, str]]
    ) -> Exploration:
        asked = [captions_by_vector[vector] for vector in pairs.caption_vectors.tolist()]
        caption_ids = np.array([caption for caption, _ in asked], dtype=np.int64)
        captions = self._side("captions", model, caption_ids, pairs.caption_items, pairs.caption_vectors)
        photos = self._side("images", model, pairs.image_items, pairs.image_items, pairs.image_vectors)
        outcomes = _outcomes(captions, photos)
        by_text, by_image = outcomes["text_to_image"], outcomes["image_to_text"]
        metrics = retrieval_metrics(by_image.ranks, photos.items, by_text.ranks, captions.items)
        return Exploration(
            pairs.split,
            model.label,
            model.name,
            captions,
            photos,
            tuple(text for _, text in asked),
            outcomes,
            metrics,
        )

    def _side(
        self,
        kind: Gallery,
        model: Model,
        ids: NDArray[np.int64],
        items: NDArray[np.int64],
        vector_ids: NDArray[np.int64],
    ) -> Side:
        index = open_exact(self.reader, kind, model.id, model.dim)
        try:
            rows = index.positions(vector_ids)
        except KeyError:
            raise LibraryError("the library has changed this very moment; ask again") from None
        return Side(kind, ids, items, vector_ids, index, rows)


def _same(one: Pairs, other: Pairs) -> bool:
    """True if both have the same pairs of vectors and captions."""
    return one.split == other.split and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("caption_vectors", "caption_items", "image_vectors", "image_items", "caption_ids")
    )


def _outcomes(captions: Side, photos: Side) -> dict[Direction, Outcome]:
    """Compute ranks and scores in both directions."""
    texts, images = captions.vectors(), photos.vectors()
    text_ranks, image_ranks = ranks_both_ways(texts, images, captions.items, photos.items)
    photo_of = np.searchsorted(photos.items, captions.items)  # the items of photos are ascending and unique
    truth = np.empty(len(texts), dtype=np.float32)
    for start in range(0, len(texts), _ROWS):
        rows = slice(start, start + _ROWS)
        truth[rows] = scores_of_pairs(texts[rows], images[photo_of[rows]])
    photo_truth = np.full(len(images), -np.inf, dtype=np.float32)
    np.maximum.at(photo_truth, photo_of, truth)
    wrong, photo_wrong = _best_wrong(texts, images, photo_of)
    return {
        "text_to_image": _outcome(text_ranks, truth, wrong),
        "image_to_text": _outcome(image_ranks, photo_truth, photo_wrong),
    }


def _outcome(ranks: NDArray[np.int64], truth: NDArray[np.float32], wrong: NDArray[np.float32]) -> Outcome:
    """Make an outcome whose scores agree with the exact ranks.

    Products in float32 are inexact in the last digits, so ``wrong`` is adjusted where it contradicts a rank.
    """
    below = np.nextafter(truth, np.float32(-np.inf))
    return Outcome(ranks, truth, np.where(ranks == 1, np.minimum(wrong, below), np.maximum(wrong, truth)))


def _best_wrong(
    texts: NDArray[np.float32], images: NDArray[np.float32], photo_of: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute the best negative scores in both directions.

    Returns (C,) the highest score of each caption with other photos than its own, and (I,) the highest score
    of each photo with captions of other photos. ``photo_of`` are the (C,) rows of the captions' own photos.
    """
    wrong = np.empty(len(texts), dtype=np.float32)
    photo_wrong = np.full(len(images), -np.inf, dtype=np.float32)
    for start in range(0, len(texts), _BLOCK):
        rows = slice(start, start + _BLOCK)
        scores = texts[rows] @ images.T
        scores[np.arange(len(scores)), photo_of[rows]] = -np.inf
        wrong[rows] = scores.max(axis=1)
        np.maximum(photo_wrong, scores.max(axis=0), out=photo_wrong)
    return wrong, photo_wrong
