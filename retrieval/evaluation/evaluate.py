"""Evaluation of a library: Recall@K over its captioned photos.

Results are stored in the catalogue and can be listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError, ModelError, UserError
from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.model_folder import (
    Variant,
    fingerprint,
    model_label,
    resolve_model,
    split_label,
)
from twobranch.indexer.catalog.evaluations import evaluation_history
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
from twobranch.indexer.update.models import encoded_model, index_command
from twobranch.indexer.vectors.index import Index, open_index
from twobranch.retrieval.encoders import changed_model
from twobranch.retrieval.evaluation.metrics import (
    DirectionMetrics,
    QueryRanks,
    RetrievalMetrics,
    ranks_both_ways,
    retrieval_metrics,
)
from twobranch.retrieval.evaluation.pairs import ModelPairs, Pairs, pairs_of_models

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
    found: QueryRanks  # in the hits of the index, from which ``metrics`` come
    text_ranks: NDArray[np.int64]  # (C,) exact rank of each caption's photo
    image_ranks: NDArray[np.int64]  # (I,) exact rank of each photo's best caption
    model: str
    variant: Variant
    split: str | None
    n_images: int
    n_captions: int

    @property
    def label(self) -> str:
        """The model's name, and the options that photos were indexed with."""
        return model_label(self.model, self.variant)

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


def evaluate(
    catalog: Catalog,
    *,
    ks: Sequence[int],
    split: str | None,
    command: str,
    progress: Progress = SILENT,
) -> EvaluationResult:
    """Evaluate Recall@K of the library's model in both directions; store the result.

    Raises as ``evaluate_models`` does.
    """
    (result,) = evaluate_models(catalog, (), ks=ks, split=split, command=command, progress=progress)
    return result


def evaluate_models(
    catalog: Catalog,
    names: Sequence[str],
    *,
    ks: Sequence[int],
    split: str | None,
    command: str,
    progress: Progress = SILENT,
) -> list[EvaluationResult]:
    """Evaluate Recall@K of several models on the same pairs; store each result.

    The pairs are those that every model has encoded, or those of one split. The gallery has the items of the
    pairs only: photos without a caption do not compete. Without names it is the model that searches use.
    Raises ``UserError`` when there are no pairs, or no vectors of a model, and ``LibraryError`` when a model
    has changed since the library was indexed.
    """
    with catalog.session() as session:
        chosen = chosen_pairs(session, catalog.folder, names, split)
    for one in chosen:
        check_unchanged(one.model)
        if one.missing:
            progress.note(
                f"{one.model.label} lacks {one.missing:,} of the {one.known:,} captions, or their photos; "
                f"they are left out for all models; `{index_command(one.model)}` completes it"
            )
    results = []
    for one in chosen:
        result = _measure(catalog, one.model, one.pairs, ks, progress)
        try:
            with catalog.session(write=True) as session:
                session.add(_row(result, one.model, command))
        except LibraryError as error:  # the result is valid even if it cannot be stored
            progress.warn(f"the evaluation is not stored: {error}")
        results.append(result)
    return results


def chosen_pairs(
    session: Session, library: Path, names: Sequence[str], split: str | None
) -> list[ModelPairs]:
    """Return models with the pairs that all of them have encoded.

    Without names it is the model that searches use. Raises ``UserError`` for a model without vectors, one
    that is named twice, and where there are no pairs.
    """
    active = active_model(session)
    if active is None:
        raise UserError(f"{library}: nothing is indexed yet; run `index PATH --captions FILE`")
    models = [encoded_model(session, name) for name in names] or [active]
    for n, model in enumerate(models):
        if model in models[:n]:
            raise UserError(f"{names[n]}: this model is named twice; name each one once")
    return pairs_of_models(session, models, split)


def _measure(
    catalog: Catalog, model: Model, pairs: Pairs, ks: Sequence[int], progress: Progress
) -> EvaluationResult:
    """Rank the pairs by searching the model's index, and exactly."""
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
    return EvaluationResult(
        metrics=exact
        if same  # then the intervals are equal too, and the bootstrap runs only once
        else retrieval_metrics(image_found, pairs.image_items, text_found, pairs.caption_items, ks),
        exact=exact,
        found=QueryRanks(image_found, pairs.image_items, text_found, pairs.caption_items),
        text_ranks=text_ranks,
        image_ranks=image_ranks,
        model=model.name,
        variant=model.variant,
        split=pairs.split,
        n_images=len(pairs.image_items),
        n_captions=len(pairs.caption_items),
    )


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
