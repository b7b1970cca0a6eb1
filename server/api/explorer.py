"""``/api/explorer``: the queries of a split, with the true answer's rank.

Every caption and photo of the split is a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.reader import Found as Facts
from twobranch.retrieval.evaluation.evaluate import direction_json
from twobranch.retrieval.evaluation.explorer import (
    Direction,
    Exploration,
    Explorer,
    Order,
    Ranked,
    Side,
    histogram,
)
from twobranch.retrieval.evaluation.metrics import recall_at
from twobranch.retrieval.evaluation.reliability import reliability
from twobranch.server.api.evaluations import DirectionResult
from twobranch.server.errors import Problem, Refused, not_found
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

_CHANGING: dict[int | str, dict[str, Any]] = {
    503: {"model": Problem, "description": "A library that cannot be read, or that is changing"}
}
_NO_PAIRS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "No captioned photos, or none in this split"}
}
_NO_QUERY: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "A query that is not in this split"}
}
router = APIRouter(prefix="/api/explorer", tags=["evaluation"], responses=_CHANGING)
HITS = 10
_SplitName = Annotated[str | None, Query(description="Default: all captioned photos.", examples=["dev"])]


class SplitFacts(BaseModel):
    """The size of a split: its captioned photos and their captions."""

    name: str | None = Field(description="Null for captions without a split.")
    captions: int
    photos: int


class Splits(BaseModel):
    """The splits of the library, the smallest first."""

    splits: list[SplitFacts]


class ConfidenceGroup(BaseModel):
    """First hits of similar confidence, from ``low`` to ``high``."""

    low: float
    high: float
    said: float = Field(description="Their mean confidence, 0 to 1.")
    right: float = Field(description="Fraction of them that are true, 0 to 1.")
    hits: int


class Reliability(BaseModel):
    """Reliability of the confidence on a split, by groups of confidence."""

    groups: list[ConfidenceGroup] | None = Field(description="Null for a model without confidence.")


class ExplorerParameters(BaseModel):
    """Selection and order of the queries."""

    model_config = ConfigDict(extra="forbid")

    direction: Direction = "text_to_image"
    split: str | None = Field(None, description="Default: all captioned photos.", examples=["dev"])
    sort: Order = Field(
        "worst",
        description="`closest`: smallest score gap to the first place. `caption`: order of indexing.",
    )
    contains: str = Field("", max_length=200, description="Only queries with this text in a caption.")
    from_rank: int = Field(1, ge=1, description="Queries with this rank or a worse one.")
    to_rank: int | None = Field(None, ge=1, description="Queries with this rank or a better one.")
    offset: int = Field(0, ge=0)
    limit: int = Field(50, ge=1, le=500)


class Thumbnail(BaseModel):
    """Path, size and content id of a photo."""

    path: str | None
    width: int | None
    height: int | None
    content: str | None = Field(description="Id of the file's content; changes with it.")


class QueryFacts(Thumbnail):
    """A query with its rank and scores."""

    caption: int | None = Field(description="The id of the caption, if the query is a caption; else null.")
    photo: int = Field(description="The photo that is the query, or that the caption describes.")
    text: str | None = Field(description="The text of the caption, if the query is a caption; else null.")
    rank: int = Field(description="1 + number of wrong answers with at least the score of the best true one.")
    truth_score: float = Field(description="Score of the best true answer.")
    best_score: float = Field(description="Score of the first hit.")


class RankBar(BaseModel):
    """The number of queries with a rank from ``first`` to ``last``."""

    first: int
    last: int
    queries: int


class QueryList(BaseModel):
    """Queries, and the metrics of the model on the whole split."""

    split: str | None
    model: str
    recall: DirectionResult = Field(description="Metrics of all queries of the split, as from `eval`.")
    containing: dict[str, float] | None = Field(
        description="Recall of only the queries that contain the text, in percent.",
        examples=[{"queries": 812, "R@1": 40.1, "R@5": 71.2, "R@10": 80.9, "median_rank": 2}],
    )
    histogram: list[RankBar] = Field(description="Ranks of all queries with this text; not limited by ranks.")
    total: int = Field(description="Number of queries with this text and these ranks.")
    queries: list[QueryFacts]


class Answer(Thumbnail):
    """A photo or caption found for the query."""

    rank: int = Field(description="Its rank in the gallery; wrong answers come first among equal scores.")
    score: float
    above: float = Field(description="Its score minus the best true one's; from 0 on it ranks above it.")
    true: bool
    photo: int | None = Field(description="The photo, or the photo that the caption describes.")
    caption: int | None
    text: str | None


class QueryDetail(BaseModel):
    """A query with its true answers and its hits."""

    query: QueryFacts
    gallery: int = Field(description="Number of possible answers.")
    truths: list[Answer] = Field(description="All true answers, best first.")
    hits: list[Answer] = Field(description="The first ten hits.")


@router.get("/splits", response_model=Splits)
async def splits(state: Annotated[State, Depends(state_of)]) -> Response:
    """Return the splits whose photos and captions can be searched."""
    found = await state.explorers.run(lambda explorer: explorer.splits())
    return json_reply({"splits": [asdict(split) for split in found]})


@router.get("", response_model=QueryList, responses=_NO_PAIRS)
async def queries(
    parameters: Annotated[ExplorerParameters, Query()], state: Annotated[State, Depends(state_of)]
) -> Response:
    """Return queries of a split with their ranks. The first call computes all ranks, which takes seconds."""
    return json_reply(await state.explorers.run(lambda explorer: _list(explorer, parameters)))


@router.get("/confidence", response_model=Reliability, responses=_NO_PAIRS)
async def confidence(
    state: Annotated[State, Depends(state_of)],
    direction: Direction = "text_to_image",
    split: _SplitName = None,
) -> Response:
    """Return how often first hits are true, by confidence.

    At most 2,000 queries are searched twice each: with and without the true answers in the gallery.
    """
    groups = await state.explorers.run(
        lambda explorer: reliability(explorer.explore(split), direction, explorer.estimated_confidence())
    )
    return json_reply({"groups": None if groups is None else [asdict(group) for group in groups]})


@router.get("/{direction}/{id}", response_model=QueryDetail, responses={**_NO_PAIRS, **_NO_QUERY})
async def query(
    direction: Direction,
    id: Annotated[int, Path(description="The id of the caption or photo.", examples=[1])],
    state: Annotated[State, Depends(state_of)],
    split: _SplitName = None,
) -> Response:
    """Return one query with its true answers and its hits."""
    return json_reply(await state.explorers.run(lambda explorer: _detail(explorer, direction, id, split)))


def _list(explorer: Explorer, asked: ExplorerParameters) -> dict[str, Any]:
    exploration, direction = explorer.explore(asked.split), asked.direction
    rows = exploration.containing(direction, asked.contains)
    among = exploration.outcomes[direction].ranks[rows]
    bars = histogram(among, len(exploration.gallery(direction).ids))
    containing = None
    if asked.contains.strip() and len(among):
        containing = {
            "queries": len(among),
            **{f"R@{k}": round(recall_at(among, k), 2) for k in (1, 5, 10)},
            "median_rank": float(np.median(among)),
        }
    to_rank = np.inf if asked.to_rank is None else asked.to_rank
    rows = rows[(among >= asked.from_rank) & (among <= to_rank)]
    shown = exploration.ordered(direction, rows, asked.sort)[asked.offset : asked.offset + asked.limit]
    return {
        "split": exploration.split,
        "model": exploration.model,
        "recall": direction_json(getattr(exploration.metrics, direction)),
        "containing": containing,
        "histogram": [asdict(bar) for bar in bars],
        "total": len(rows),
        "queries": _query_facts(explorer.reader, exploration, direction, shown.tolist()),
    }


def _detail(explorer: Explorer, direction: Direction, id_: int, split: str | None) -> dict[str, Any]:
    exploration = explorer.explore(split)
    rows = np.flatnonzero(exploration.queries(direction).ids == id_)
    what = "caption" if direction == "text_to_image" else "photo"
    if not len(rows):
        raise not_found(f"{what} {id_} that can be asked in this split")
    found = exploration.find(direction, int(rows[0]), HITS)
    gallery, truth = exploration.gallery(direction), found.truths[0].score
    facts = _facts(explorer.reader, gallery, [ranked.row for ranked in (*found.hits, *found.truths)])

    def answers(some: Sequence[Ranked]) -> list[dict[str, Any]]:
        return [
            {
                "rank": ranked.rank,
                "score": _rounded(ranked.score),
                "above": _rounded(ranked.score - truth),
                "true": ranked.true,
                "photo": int(gallery.items[ranked.row]),
                "caption": int(gallery.ids[ranked.row]) if gallery.kind == "captions" else None,
                "text": facts[ranked.row].caption,
                **_thumbnail(facts[ranked.row]),
            }
            for ranked in some
        ]

    (asked,) = _query_facts(explorer.reader, exploration, direction, [int(rows[0])])
    return {
        "query": asked,
        "gallery": len(gallery.ids),
        "truths": answers(found.truths),
        "hits": answers(found.hits),
    }


def _query_facts(
    reader: CatalogReader, exploration: Exploration, direction: Direction, rows: list[int]
) -> list[dict[str, Any]]:
    queries, outcome = exploration.queries(direction), exploration.outcomes[direction]
    facts = _facts(reader, queries, rows)
    return [
        {
            "caption": int(queries.ids[row]) if queries.kind == "captions" else None,
            "photo": int(queries.items[row]),
            "text": facts[row].caption,
            "rank": int(outcome.ranks[row]),
            "truth_score": _rounded(float(outcome.truth[row])),
            "best_score": _rounded(float(outcome.best[row])),
            **_thumbnail(facts[row]),
        }
        for row in rows
    ]


def _facts(reader: CatalogReader, side: Side, rows: list[int]) -> dict[int, Facts]:
    """Return the catalogue's current facts, by row. Raises ``Refused``."""
    vectors = side.vector_ids[rows].tolist()
    found = reader.found(side.kind, vectors)
    if len(found) < len(set(vectors)):
        raise Refused(503, "the library has just changed; try again")
    return {row: found[vector] for row, vector in zip(rows, vectors, strict=True)}


def _thumbnail(facts: Facts) -> dict[str, Any]:
    return {
        "path": None if facts.path is None else str(facts.path),
        "width": facts.width,
        "height": facts.height,
        "content": facts.content,
    }


def _rounded(score: float) -> float:
    """Return the score rounded to the precision of float32."""
    return round(score, 6)
