"""Evaluation of a library: Recall@K over its captioned photos.

Results are stored in the catalogue and can be listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError, ModelError, UserError
from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.model_folder import Variant, fingerprint, resolve_model, split_label
from twobranch.indexer.captionfiles.corpus import canonical_split, split_members
from twobranch.indexer.captionfiles.texts import text_key
from twobranch.indexer.catalog.evaluations import (
    PairRow,
    count_linked_captions,
    encoded_pairs,
    evaluation_history,
)
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import (
    Catalog,
    Evaluation,
    EvaluationDirection,
    EvaluationRecall,
    Model,
    Session,
    active_model,
    utcnow,
)
from twobranch.indexer.catalog.vectors import texts_of_vectors
from twobranch.indexer.vectors.index import Index, open_index
from twobranch.retrieval.encoders import changed_model
from twobranch.retrieval.evaluation.metrics import (
    DirectionMetrics,
    RetrievalMetrics,
    ranks_both_ways,
    retrieval_metrics,
)

# Queries searched at once: as many as FAISS multiplies at once. There are fewer if each has so many hits
# (--recall 100000) that all hits would take more than 50 MB.
MOST_QUERIES = 4096
MOST_HITS = 1 << 22
DIRECTIONS = ("text_to_image", "image_to_text")


@dataclass(frozen=True)
class EvaluationResult:
    """The result of an evaluation.

    ``metrics`` are those of searching the index, as users do; ``exact`` those of exact search.
    """

    metrics: RetrievalMetrics
    exact: RetrievalMetrics  # by the exact ranks of ``retrieval.evaluation.ranks``
    text_ranks: NDArray[np.int64]  # (C,) exact rank of each caption's photo
    image_ranks: NDArray[np.int64]  # (I,) exact rank of each photo's best caption
    model: str
    variant: Variant
    split: str | None
    n_images: int
    n_captions: int

    @property
    def agrees(self) -> bool:
        """True if searching the index gave the recall of exact search."""
        return all(getattr(self.metrics, way).recall == getattr(self.exact, way).recall for way in DIRECTIONS)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON data of ``eval --json``."""
        return {
            **{way: direction_json(getattr(self.metrics, way)) for way in DIRECTIONS},
            "rsum": round(self.metrics.rsum, 2),
            "rsum_ci95": [
                round(self.metrics.rsum_interval.low, 2),
                round(self.metrics.rsum_interval.high, 2),
            ],
            "n_images": self.n_images,
            "n_captions": self.n_captions,
            "model": self.model,
            **asdict(self.variant),
            "split": self.split,
            "index_agrees_with_exact": self.agrees,
        }


@dataclass(frozen=True)
class Pairs:
    """Captions and their photos, as ids of vectors.

    A caption and a photo are positives if they have the same item, which is the photo's id. Photos with the
    same content are one item, with the id of the first: the model cannot tell them apart.
    """

    caption_vectors: NDArray[np.int64]  # (C,)
    caption_items: NDArray[np.int64]  # (C,)
    image_vectors: NDArray[np.int64]  # (I,)
    image_items: NDArray[np.int64]  # (I,)
    split: str | None
    caption_ids: NDArray[np.int64]  # (C,) of the captions' rows: a vector may go over to an equal caption


def evaluate(
    catalog: Catalog,
    *,
    ks: Sequence[int],
    split: str | None,
    command: str,
    progress: Progress = SILENT,
) -> EvaluationResult:
    """Evaluate Recall@K in both directions; store the result.

    The pairs are the indexed ones, or those of one split. The gallery has the items of the pairs only: photos
    without a caption do not compete. Raises ``UserError`` when there are no pairs, ``LibraryError`` when the
    model has changed since the library was indexed.
    """
    with catalog.session() as session:
        model = active_model(session)
        if model is None:
            raise UserError(f"{catalog.folder}: nothing is indexed yet; run `index PATH --captions FILE`")
        pairs = indexed_pairs(session, model, split)
    check_unchanged(model)
    depth = max(*ks, 10)
    with closing(CatalogReader.open(catalog.folder)) as reader:
        images = open_index(reader, "images", model.id, model.dim)
        captions = open_index(reader, "captions", model.id, model.dim)
        image_side = _Side(images, pairs.image_vectors, pairs.image_items)
        caption_side = _Side(captions, pairs.caption_vectors, pairs.caption_items)
        progress.start("exact ranks", len(pairs.caption_items))
        text_ranks, image_ranks = ranks_both_ways(
            caption_side.vectors,
            image_side.vectors,
            pairs.caption_items,
            pairs.image_items,
            advance=progress.advance,
        )
        progress.finish()
        progress.start("searches", len(pairs.image_items) + len(pairs.caption_items))
        text_found = _found_ranks(caption_side, image_side, depth, text_ranks, progress)
        image_found = _found_ranks(image_side, caption_side, depth, image_ranks, progress)
        progress.finish()
    exact = retrieval_metrics(image_ranks, pairs.image_items, text_ranks, pairs.caption_items, ks)
    same = np.array_equal(text_ranks, text_found) and np.array_equal(image_ranks, image_found)
    result = EvaluationResult(
        metrics=exact
        if same  # then the intervals are equal too, and the bootstrap runs only once
        else retrieval_metrics(image_found, pairs.image_items, text_found, pairs.caption_items, ks),
        exact=exact,
        text_ranks=text_ranks,
        image_ranks=image_ranks,
        model=model.name,
        variant=model.variant,
        split=pairs.split,
        n_images=len(pairs.image_items),
        n_captions=len(pairs.caption_items),
    )
    try:
        with catalog.session(write=True) as session:
            session.add(_row(result, model, command))
    except LibraryError as error:  # the result is valid even if it cannot be stored
        progress.warn(f"the evaluation is not stored: {error}")
    return result


def history(catalog: Catalog) -> list[Evaluation]:
    """List the evaluations of this library, oldest first.

    Their directions and recalls are loaded.
    """
    with catalog.session() as session:
        return evaluation_history(session)


def history_json(row: Evaluation) -> dict[str, Any]:
    """Return a stored evaluation as in ``eval --json``.

    The data has also its date and command.
    """
    ways: dict[str, dict[str, Any]] = {}
    for direction in row.directions:
        recalls = [recall for recall in row.recalls if recall.direction == direction.direction]
        ways[direction.direction] = {
            **{f"R@{recall.k}": round(recall.recall, 2) for recall in recalls},
            "median_rank": direction.median_rank,
            "mean_rank": round(direction.mean_rank, 2),
            "ci95": {f"R@{recall.k}": [round(recall.low, 2), round(recall.high, 2)] for recall in recalls},
            "n_queries": direction.n_queries,
            "n_gallery": direction.n_gallery,
        }
    name, variant = split_label(row.model_name)
    return {
        "id": row.id,
        **ways,
        "rsum": round(row.rsum, 2),
        "rsum_ci95": [round(row.rsum_low, 2), round(row.rsum_high, 2)],
        "n_images": row.n_images,
        "n_captions": row.n_captions,
        "model": name,
        **asdict(variant),
        "split": row.split,
        "index_agrees_with_exact": row.exact,
        "date": _iso(row.created_at),
        "command": row.command,
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds") + "Z"


def indexed_pairs(session: Session, model: Model, split: str | None) -> Pairs:
    """Return the indexed pairs of a split, each once.

    Their captions and photos both have a vector. Raises ``UserError`` if there are none.
    """
    name = canonical_split(split) if split is not None else None
    rows = encoded_pairs(session, model.id, None if name is None else split_members(name))
    if not rows:
        raise UserError(_no_pairs(session, split))
    pairs = _without_copies(session, rows)
    items = np.array([item for item, _ in pairs], dtype=np.int64)
    image_items, first = np.unique(items, return_index=True)
    only = {row.split for _, row in pairs}
    return Pairs(
        np.array([row.caption_vector for _, row in pairs], dtype=np.int64),
        items,
        np.array([row.image_vector for _, row in pairs], dtype=np.int64)[first],
        image_items,
        name if name is not None else (only.pop() if len(only) == 1 else None),
        np.array([row.caption_id for _, row in pairs], dtype=np.int64),
    )


def _without_copies(session: Session, rows: Sequence[PairRow]) -> list[tuple[int, PairRow]]:
    """Return pairs with their items.

    Copies of a photo are one item, and have each text once.
    """
    photos: dict[bytes | None, set[int]] = defaultdict(set)
    for row in rows:
        photos[row.content].add(row.image_id)
    copied = {content for content, ids in photos.items() if content is not None and len(ids) > 1}
    if not copied:
        return [(row.image_id, row) for row in rows]
    vectors = [row.caption_vector for row in rows if row.content in copied]
    texts = texts_of_vectors(session, vectors)
    pairs, seen = [], set()
    for row in rows:
        if row.content not in copied:
            pairs.append((row.image_id, row))
            continue
        item = min(photos[row.content])
        key = item, text_key(texts[row.caption_vector])
        if key not in seen:
            seen.add(key)
            pairs.append((item, row))
    return pairs


def check_unchanged(model: Model) -> None:
    """Raise ``LibraryError`` if a model has changed since indexing.

    Otherwise old vectors would be reported under the name of a new model. A model whose folder is gone is
    accepted.
    """
    try:
        folder = resolve_model(model.name)
    except ModelError:
        return
    if fingerprint(folder, model.variant) != model.fingerprint:
        raise changed_model(model.name)


def _no_pairs(session: Session, split: str | None) -> str:
    counts = count_linked_captions(session)
    if not counts:
        return "no photo of this library has a caption; add them with `index PHOTOS --captions FILE`"
    there = ", ".join(f"{name or 'no split'} ({count:,} captions)" for name, count in counts)
    return f"no captioned photos in the split {split!r}; there are: {there}"


class _Side:
    """The photos or the captions of the pairs, with their index."""

    def __init__(self, index: Index, ids: NDArray[np.int64], items: NDArray[np.int64]) -> None:
        self.index = index
        self.ids = ids  # (N,) of vectors
        self.items = items  # (N,)
        self.vectors = index.vectors(ids)  # (N, D)
        self.among = None if len(ids) == len(index) else ids
        self._by_id = np.argsort(ids)

    def items_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the items of vectors, in the shape of ``ids``."""
        return self.items[self._by_id[np.searchsorted(self.ids, ids, sorter=self._by_id)]]


def _found_ranks(
    queries: _Side, gallery: _Side, depth: int, exact: NDArray[np.int64], progress: Progress
) -> NDArray[np.int64]:
    """Return the (Q,) ranks among the index's ``depth`` best hits.

    See ``ranks_among_hits``.
    """
    found = np.empty(len(queries.ids), dtype=np.int64)
    block = max(1, min(MOST_QUERIES, MOST_HITS // min(depth, len(gallery.ids))))
    for start in range(0, len(found), block):
        rows = slice(start, start + block)
        scores, ids = gallery.index.search(queries.vectors[rows], depth, gallery.among)
        found[rows] = ranks_among_hits(scores, gallery.items_of(ids), queries.items[rows], exact[rows])
        progress.advance(len(ids))
    return found


def ranks_among_hits(
    scores: NDArray[np.float32],
    hit_items: NDArray[np.int64],
    query_items: NDArray[np.int64],
    exact: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Compute the (Q,) ranks of queries from their (Q, k) hits.

    Hits are ordered best first. A rank is 1 + the number of negatives that score >= the best positive.
    Without a positive among the hits it is the exact rank, but at least k + 1.
    """
    positive = hit_items == query_items[:, None]  # (Q, k)
    best = np.where(positive, scores, -np.inf).max(axis=1)  # (Q,)
    rank = 1 + np.count_nonzero((scores >= best[:, None]) & ~positive, axis=1)
    return np.where(positive.any(axis=1), rank, np.maximum(exact, scores.shape[1] + 1)).astype(np.int64)


def _row(result: EvaluationResult, model: Model, command: str) -> Evaluation:
    metrics = result.metrics
    row = Evaluation(
        created_at=utcnow(),
        model_id=model.id,
        model_name=model.label,
        split=result.split,
        n_images=result.n_images,
        n_captions=result.n_captions,
        exact=result.agrees,
        rsum=metrics.rsum,
        rsum_low=metrics.rsum_interval.low,
        rsum_high=metrics.rsum_interval.high,
        command=command,
    )
    for way in DIRECTIONS:
        direction: DirectionMetrics = getattr(metrics, way)
        row.directions.append(
            EvaluationDirection(
                direction=way,
                n_queries=direction.n_queries,
                n_gallery=direction.n_gallery,
                median_rank=direction.median_rank,
                mean_rank=direction.mean_rank,
            )
        )
        row.recalls += [
            EvaluationRecall(direction=way, k=k, recall=recall, low=interval.low, high=interval.high)
            for k, recall in direction.recall.items()
            for interval in [direction.interval[k]]
        ]
    return row


def direction_json(direction: DirectionMetrics) -> dict[str, Any]:
    """Return one direction as in ``eval --json``."""
    return {
        **{f"R@{k}": round(recall, 2) for k, recall in direction.recall.items()},
        "median_rank": direction.median_rank,
        "mean_rank": round(direction.mean_rank, 2),
        "ci95": {f"R@{k}": [round(i.low, 2), round(i.high, 2)] for k, i in direction.interval.items()},
        "n_queries": direction.n_queries,
        "n_gallery": direction.n_gallery,
    }
