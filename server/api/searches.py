"""``/api/searches``: saved searches."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from twobranch.indexer.catalog.saved_searches import (
    MOST_QUERY,
    all_searches,
    change_search,
    delete_search,
    save_search,
    search_by_id,
)
from twobranch.server.api.albums import TAKEN, UNWRITABLE, write
from twobranch.server.errors import Problem, not_found
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api/searches", tags=["search"])
Shared = Annotated[State, Depends(state_of)]
SearchId = Annotated[int, Path(ge=1, lt=2**63, description="The id of the saved search.")]
_GONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "No such saved search"}}


class SavedSearchModel(BaseModel):
    """A saved search."""

    id: int
    name: str
    query: str = Field(description="Parameters of the page's address.", examples=["q=dog&after=2023"])
    created_at: str = Field(description="In UTC.", examples=["2024-05-01T10:00:00Z"])


class SavedSearchList(BaseModel):
    """All saved searches."""

    searches: list[SavedSearchModel] = Field(description="The newest first.")


class NewSearch(BaseModel):
    """A search to save."""

    name: str = Field(examples=["dogs of 2023"])
    query: str = Field(max_length=MOST_QUERY, examples=["q=dog&after=2023"])

    model_config = ConfigDict(extra="forbid")


class SearchChange(BaseModel):
    """A new name, or new parameters. What is missing stays as it is."""

    name: str | None = None
    query: str | None = Field(None, max_length=MOST_QUERY)

    model_config = ConfigDict(extra="forbid")


@router.get("", response_model=SavedSearchList, responses={503: UNWRITABLE[503]})
async def list_searches(state: Shared) -> Response:
    """List the saved searches."""
    searches = await state.readers.run(all_searches)
    return json_reply({"searches": [search.as_json() for search in searches]})


@router.post("", response_model=SavedSearchModel, status_code=201, responses={**UNWRITABLE, **TAKEN})
async def new_search(new: NewSearch, state: Shared) -> Response:
    """Save a search."""
    reply = await _reply(
        state, await write(state, lambda connection: save_search(connection, new.name, new.query))
    )
    reply.status_code = 201
    return reply


@router.patch("/{search}", response_model=SavedSearchModel, responses={**UNWRITABLE, **TAKEN, **_GONE})
async def update_search(search: SearchId, change: SearchChange, state: Shared) -> Response:
    """Rename a saved search, or change what it looks for."""
    await write(state, lambda connection: change_search(connection, search, change.name, change.query))
    return await _reply(state, search)


@router.delete("/{search}", status_code=204, responses={503: UNWRITABLE[503], **_GONE})
async def remove_search(search: SearchId, state: Shared) -> Response:
    """Delete a saved search."""
    if not await write(state, lambda connection: delete_search(connection, search)):
        raise not_found(f"saved search {search}")
    return Response(status_code=204)


async def _reply(state: State, search: int) -> Response:
    found = await state.readers.run(lambda reader: search_by_id(reader, search))
    if found is None:
        raise not_found(f"saved search {search}")
    return json_reply(found.as_json())
