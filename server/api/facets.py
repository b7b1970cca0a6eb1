"""``/api/facets``: numbers of photos by year, folder, camera and so on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from twobranch.indexer.catalog.facets import count_facets
from twobranch.server.errors import Problem
from twobranch.server.filter_parameters import FilterParameters
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api", tags=["search"])


class FacetCount(BaseModel):
    """A filter value and its number of photos."""

    value: str
    photos: int


class FacetFolder(FacetCount):
    """A folder, and its number of photos with those further in."""

    value: str = Field(description="For `path`; it finds this folder alone.", examples=["holiday/2021"])
    name: str = Field(description="The last part of its path.", examples=["2021"])
    below: str = Field(description="Its path below the indexed folder; empty for that one.")
    depth: int = Field(description="0 at the top.")
    parent: int | None = Field(description="Its place in this list; null at the top.")


class FacetsAnswer(BaseModel):
    """The facets and their counts.

    Each facet is counted with all filters except its own.
    """

    photos: int = Field(description="Number of photos that match all filters.")
    years: list[FacetCount] = Field(description="The newest first.")
    months: list[FacetCount] = Field(description="Such as 2023-06, the newest first.")
    folders: list[FacetFolder] = Field(description="A tree: each is followed by the folders in it.")
    cameras: list[FacetCount] = Field(description="Values for `camera`, the most used first.")
    shapes: list[FacetCount]
    formats: list[FacetCount]
    places: list[FacetCount] = Field(description="Towns, values for `place`; the largest first.")
    countries: list[FacetCount] = Field(description="Values for `place`, the largest first.")
    albums: list[FacetCount] = Field(description="The largest first.")
    ratings: list[FacetCount] = Field(description="From 5 to 1.")
    favourites: list[FacetCount] = Field(description="The value `true`; without favourites nothing.")


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "An invalid filter"},
    503: {"model": Problem, "description": "A library that cannot be read"},
}


@router.get("/facets", response_model=FacetsAnswer, responses=_PROBLEMS)
async def facets(
    request: Request,
    parameters: Annotated[FilterParameters, Query()],
    state: Annotated[State, Depends(state_of)],
) -> Response:
    """Count photos by year, month, folder, camera, shape, format and place."""
    asked, version = request.url.query, state.version()
    answer = state.facets.get(asked, version)
    if answer is None:
        filters = parameters.filters()
        found = await state.readers.run(lambda reader: count_facets(reader, filters))
        answer = json.dumps(asdict(found), ensure_ascii=False).encode("utf-8", "replace")
        state.facets.keep(asked, version, answer)
    return Response(answer, media_type="application/json")
