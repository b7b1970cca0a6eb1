"""``/api/evaluations``: stored Recall@K evaluations of the library, and new ones."""

from __future__ import annotations

import shlex
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from twobranch.common.progress import Silent
from twobranch.indexer.catalog.tables import Catalog
from twobranch.retrieval.evaluation.evaluate import evaluate, history, history_json
from twobranch.server.errors import Problem, Refused
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

router = APIRouter(
    prefix="/api",
    tags=["evaluation"],
    responses={503: {"model": Problem, "description": "A library that cannot be read"}},
)
_K = Annotated[int, Field(ge=1, le=1_000_000)]


class DirectionResult(BaseModel):
    """The metrics of one direction.

    Further keys ``R@K``: recall in percent for every requested K.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "R@1": 31.3,
                "R@5": 62.4,
                "R@10": 74.0,
                "median_rank": 3.0,
                "mean_rank": 14.6,
                "ci95": {"R@1": [29.24, 33.42], "R@5": [60.04, 64.68], "R@10": [71.88, 76.06]},
                "n_queries": 5000,
                "n_gallery": 1000,
            }
        },
    )
    median_rank: float
    mean_rank: float
    ci95: dict[str, tuple[float, float]] = Field(description="95% confidence interval of each recall.")
    n_queries: int
    n_gallery: int


class EvaluationResult(BaseModel):
    """The answer of ``eval --json``."""

    text_to_image: DirectionResult
    image_to_text: DirectionResult
    rsum: float = Field(description="Sum of R@1, R@5 and R@10 of both directions.", examples=[359.7])
    rsum_ci95: tuple[float, float] = Field(examples=[[347.5, 371.4]])
    n_images: int
    n_captions: int
    model: str = Field(examples=["default"])
    tta: bool
    int8: bool
    split: str | None = Field(examples=["dev"])
    index_agrees_with_exact: bool = Field(description="True if the index finds the same as exact search.")


class StoredEvaluation(EvaluationResult):
    """One evaluation of ``eval --history --json``."""

    id: int
    date: str = Field(description="UTC.", examples=["2026-01-31T12:00:00Z"])
    command: str


class Evaluations(BaseModel):
    """All stored evaluations, oldest first."""

    evaluations: list[StoredEvaluation]


class NewEvaluation(EvaluationResult):
    """An evaluation that has just been run."""

    warnings: list[str] = Field(description="For example that the result could not be stored.")


class EvaluationRequest(BaseModel):
    """The split and the K of a new evaluation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"split": "dev"}]})
    split: str | None = Field(None, description="Only the pairs of this split.")
    recall: list[_K] = Field([1, 5, 10], min_length=1, max_length=50, description="The K of Recall@K.")


class Warnings(Silent):
    """Progress that keeps only the warnings."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, message: str) -> None:
        self.texts.append(message)


@router.get("/evaluations", response_model=Evaluations)
async def evaluations(state: Annotated[State, Depends(state_of)]) -> Response:
    """Return all stored evaluations of this library."""
    return json_reply({"evaluations": await run_in_threadpool(_stored, state.settings.library)})


@router.post(
    "/evaluations",
    response_model=NewEvaluation,
    responses={
        400: {"model": Problem, "description": "Nothing to evaluate"},
        409: {"model": Problem, "description": "Another evaluation is running"},
    },
)
async def run_evaluation(asked: EvaluationRequest, state: Annotated[State, Depends(state_of)]) -> Response:
    """Evaluate the library and store the result, as `eval` does. Takes seconds; one at a time."""
    return json_reply(await run_in_threadpool(_run, state, asked))


def _stored(library: Path) -> list[dict[str, Any]]:
    with closing(Catalog.open(library)) as catalog:
        return [history_json(row) for row in history(catalog)]


def _run(state: State, asked: EvaluationRequest) -> dict[str, Any]:
    if not state.evaluating.acquire(blocking=False):
        raise Refused(409, "an evaluation is running already; try again in a few seconds")
    try:
        ks = sorted(set(asked.recall))
        command = ["cli.py", "eval", "--recall", ",".join(map(str, ks))]
        command += [] if asked.split is None else ["--split", asked.split]
        warnings = Warnings()
        with closing(Catalog.open(state.settings.library)) as catalog:
            result = evaluate(
                catalog, ks=ks, split=asked.split, command=shlex.join(command), progress=warnings
            )
        return {**result.as_json(), "warnings": warnings.texts}
    finally:
        state.evaluating.release()
