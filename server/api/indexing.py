"""``/api/index``: bringing the library up to date from the page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from twobranch.common.errors import LibraryBusyError
from twobranch.indexer.update.remembered import has_folders
from twobranch.server.errors import Problem, Refused
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api/index", tags=["indexing"])


class IndexRequest(BaseModel):
    """What to index. No path comes from a visitor: folders are those that ``serve`` was started with."""

    folder: int | None = Field(
        None,
        ge=0,
        description="The number of a folder in `folders_to_index` of /api/status. Null: all that the library "
        "knows, or while it knows none, all of those folders.",
    )

    model_config = ConfigDict(extra="forbid")


class FailedPhoto(BaseModel):
    """A photo that could not be indexed."""

    path: str
    reason: str


class IndexReport(BaseModel):
    """As ``index --json``."""

    added: int
    updated: int
    moved: int
    removed: int
    unchanged: int
    failed: list[FailedPhoto]
    images_per_s: float | None
    encoded: int
    captions_added: int
    captions_without_image: int
    seconds: float


class IndexState(BaseModel):
    """How it stands with the run under way, else with the last one that this server did."""

    running: bool
    stopping: bool = Field(description="It was asked to end, and finishes what it is writing.")
    stopped: bool = Field(description="It ended because it was asked to; what it had finished is kept.")
    started_at: str | None
    ended_at: str | None
    label: str | None = Field(description="The work under way, such as `photos`.")
    done: int
    total: int | None = Field(description="Null where nobody knows.")
    per_second: float | None
    notes: list[str]
    report: IndexReport | None = Field(description="Once it has come to its end.")
    error: str | None
    failed: list[FailedPhoto]
    library_version: int = Field(
        description="Another one after whatever was committed to the library, by this run or by others."
    )


@router.post(
    "",
    response_model=IndexState,
    status_code=202,
    responses={
        400: {"model": Problem, "description": "There is no folder to index"},
        404: {"model": Problem, "description": "No folder has this number"},
        409: {"model": Problem, "description": "The library is being indexed already"},
    },
)
async def start(state: Annotated[State, Depends(state_of)], request: IndexRequest | None = None) -> Response:
    """Start a run, in a process of its own with a lower priority than searches; one at a time."""
    folder = None if request is None else request.folder
    await run_in_threadpool(_start, state, folder)
    reply = _reply(state)
    reply.status_code = 202
    return reply


@router.get("", response_model=IndexState)
async def progress(state: Annotated[State, Depends(state_of)]) -> Response:
    """How far it is; cheap enough to be asked every second."""
    return _reply(state)


@router.delete("", response_model=IndexState)
async def stop(state: Annotated[State, Depends(state_of)]) -> Response:
    """Stop the run, if there is one. What is finished is kept; the next run goes on from there."""
    state.indexing.stop()
    return _reply(state)


def _reply(state: State) -> Response:
    return json_reply({**state.indexing.as_json(), "library_version": state.version()})


def _start(state: State, folder: int | None) -> None:
    """Raises ``Refused``, and ``LibraryError``."""
    library, folders = state.settings.library, state.settings.folders
    if folder is not None and folder >= len(folders):
        raise Refused(404, f"there is no folder {folder}; the server was started with {len(folders)}")
    if folder is not None:
        paths = folders[folder : folder + 1]
    elif has_folders(library):
        paths = ()  # all of them
    elif folders:
        paths = folders
    else:
        raise Refused(400, "this library knows no folder yet; start the server with one: `serve ~/Pictures`")
    try:
        state.indexing.start(paths)
    except LibraryBusyError as error:
        raise Refused(409, str(error)) from None
