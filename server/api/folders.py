"""``/api/folders``: folders that may be chosen, to index them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from twobranch.server.errors import Problem
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of
from twobranch.server.work.folder_choice import MOST, Folder, Listing

router = APIRouter(prefix="/api/folders", tags=["indexing"])
LONGEST = 4096  # characters of a path
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "Not the path of a folder"},
    403: {"model": Problem, "description": "Folders cannot be chosen here, or not this one"},
    404: {"model": Problem, "description": "The folder is gone"},
}


class ChoosableFolder(BaseModel):
    """A folder that may be chosen."""

    name: str
    path: str
    photos: int | None = Field(description="Photos directly in it; null if counting them takes long.")


class FolderListing(BaseModel):
    """The folders in a folder."""

    path: str = Field(description="Empty for the folders where choosing begins.")
    parent: str | None = Field(description="`path` of the listing above; null at the beginning.")
    photos: int | None = Field(description="Photos directly in the folder itself.")
    folders: list[ChoosableFolder] = Field(description="By name; hidden ones are left out.")
    more: bool = Field(description=f"True if there are more than {MOST:,}.")


@router.get("", response_model=FolderListing, responses=PROBLEMS)
async def folders(
    state: Annotated[State, Depends(state_of)],
    path: Annotated[
        str, Query(max_length=LONGEST, description="A folder of a listing; empty for the beginning.")
    ] = "",
) -> Response:
    """List the folders in a folder, to choose one for POST /api/index.

    They are below the folders that `serve --choose-from` names; without it, below the home folder of the
    user and the places of drives, if only this machine reaches the server.
    """
    listing = await run_in_threadpool(state.folder_choice.listing, path)
    return json_reply(_as_json(listing))


def _as_json(listing: Listing) -> dict[str, Any]:
    above = None if listing.path is None else "" if listing.parent is None else str(listing.parent)
    return {
        "path": "" if listing.path is None else str(listing.path),
        "parent": above,
        "photos": listing.photos,
        "folders": [_folder_json(folder) for folder in listing.folders],
        "more": listing.more,
    }


def _folder_json(folder: Folder) -> dict[str, Any]:
    return {"name": folder.name, "path": str(folder.path), "photos": folder.photos}
