"""``/api/suggest``: suggestions while a query is typed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.retrieval.query import MOST_CHARACTERS
from twobranch.retrieval.suggest import MOST, Kind
from twobranch.server.errors import Problem
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api", tags=["search"])


class SuggestionModel(BaseModel):
    """A suggestion."""

    kind: Kind
    label: str = Field(description="It has the words at the end of `q` that it stands for.")
    photos: int | None = Field(description="The number of photos that it stands for, if they are counted.")
    filter: dict[str, str] = Field(
        description="Parameters of /api/search. `q` completes the last word; for a saved search `query` is "
        "all of them."
    )


class Suggestions(BaseModel):
    """Suggestions, those of a kind together."""

    suggestions: list[SuggestionModel]


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    503: {"model": Problem, "description": "A library that cannot be read"}
}


@router.get("/suggest", response_model=Suggestions, responses=_PROBLEMS)
async def suggestions(
    state: Annotated[State, Depends(state_of)],
    q: Annotated[
        str, Query(max_length=MOST_CHARACTERS, description="What is typed.", examples=["dog hol"])
    ] = "",
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many suggestions, at most.")] = 8,
) -> Response:
    """Suggest folders, months, cameras and words for what is typed.

    The words at the end of `q` are compared with the beginnings of words, without case and accents. Without
    `q` they are the newest months and the largest folders.
    """
    version = state.version()

    def work(reader: CatalogReader) -> list[dict[str, Any]]:
        return [one.as_json() for one in state.suggester.suggest(reader, version, q, limit)]

    return json_reply({"suggestions": await state.readers.run(work)})
