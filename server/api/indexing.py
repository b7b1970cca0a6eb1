"""``/api/index``: start, watch and stop indexing runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool

from twobranch.common.errors import LibraryBusyError
from twobranch.indexer.update.remembered import has_folders
from twobranch.server.api.folders import LONGEST, PROBLEMS
from twobranch.server.errors import Problem, Refused
from twobranch.server.http.login import cookie_in
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api/index", tags=["indexing"])
Shared = Annotated[State, Depends(state_of)]


class IndexRequest(BaseModel):
    """The folder to index.

    It is one that ``serve`` was started with, or one of /api/folders.
    """

    folder: int | None = Field(
        None,
        ge=0,
        description="The number of a folder in `folders_to_index` of /api/status. Null: all folders of the "
        "library, or, if it has none yet, all of `folders_to_index`.",
    )
    path: str | None = Field(
        None, max_length=LONGEST, description="Instead of a number, a folder of /api/folders."
    )

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _check_one(self) -> IndexRequest:
        if self.folder is not None and self.path is not None:
            raise PydanticCustomError("folder", "a number and a path; give one of them")
        return self


class FailedPhoto(BaseModel):
    """A photo that could not be indexed."""

    path: str
    reason: str


class IndexReport(BaseModel):
    """The answer of ``index --json``."""

    added: int
    updated: int
    moved: int
    removed: int
    unchanged: int
    failed: list[FailedPhoto]
    images_per_s: float | None
    encoded: int
    captions_added: int
    captions_repeated: int
    captions_without_image: int
    seconds: float
    skipped_links: list[str] = Field(description="Links to folders, which were not followed.")


class IndexState(BaseModel):
    """The state of the current run, else of this server's last."""

    running: bool
    stopping: bool = Field(description="The run was asked to stop and finishes its last write.")
    stopped: bool = Field(description="The run ended because it was asked to; finished work is kept.")
    started_at: str | None
    ended_at: str | None
    label: str | None = Field(description="The current step, such as `photos`.")
    done: int
    total: int | None = Field(description="Null if unknown.")
    per_second: float | None
    notes: list[str]
    report: IndexReport | None = Field(description="Set when the run is complete.")
    error: str | None
    failed: list[FailedPhoto]
    library_version: int = Field(
        description="Changes with every commit to the library, by this run or by others."
    )
    page: str = Field(
        description="The version of the page's files; an open page of another one asks to be reloaded.",
        examples=["4f1d2c9a70be"],
    )
    logged_in: bool = Field(description="True if this request had the cookie of a login.")


@router.post(
    "",
    response_model=IndexState,
    status_code=202,
    responses={
        400: {
            "model": Problem,
            "description": "There is no folder to index, or the path is none of a folder",
        },
        403: PROBLEMS[403],
        404: {"model": Problem, "description": "No folder has this number, or it is gone"},
        409: {"model": Problem, "description": "The library is being indexed already"},
    },
)
async def start(http: Request, state: Shared, request: IndexRequest | None = None) -> Response:
    """Start an indexing run. One at a time.

    It runs in a process of its own, with a lower priority than searches.
    """
    await run_in_threadpool(_start, state, request or IndexRequest(folder=None, path=None))
    reply = _reply(http, state)
    reply.status_code = 202
    return reply


@router.get("", response_model=IndexState)
async def progress(http: Request, state: Shared) -> Response:
    """Return the progress of the run. Cheap enough to call every second."""
    return _reply(http, state)


@router.delete("", response_model=IndexState)
async def stop(http: Request, state: Shared) -> Response:
    """Stop the run, if any. Finished work is kept, and the next run continues from there."""
    state.indexing.stop()
    return _reply(http, state)


def _reply(http: Request, state: State) -> Response:
    app = http.app
    facts = {
        **state.indexing.as_json(),
        "library_version": state.version(),
        "page": app.state.page.version,
        "logged_in": app.state.auth is not None and app.state.auth.accepts(cookie_in(http, app.state.auth)),
    }
    return json_reply(facts)


def _start(state: State, request: IndexRequest) -> None:
    """Start a run. Raises ``Refused`` and ``LibraryError``."""
    try:
        state.indexing.start(_paths(state, request))
    except LibraryBusyError as error:
        raise Refused(409, str(error)) from None


def _paths(state: State, request: IndexRequest) -> Sequence[Path]:
    """Return the folders to index; none stands for all of the library. Raises ``Refused``."""
    library, folders = state.settings.library, state.settings.folders
    if request.path is not None:
        return (state.folder_choice.chosen(request.path),)
    if request.folder is not None:
        if request.folder >= len(folders):
            raise Refused(404, f"there is no folder {request.folder}; `folders_to_index` has {len(folders)}")
        return (folders[request.folder],)
    if has_folders(library):
        return ()
    if not folders:
        then = "choose one" if state.folder_choice else "start the server with one: `serve ~/Pictures`"
        raise Refused(400, f"this library has no folders yet; {then}")
    return folders
