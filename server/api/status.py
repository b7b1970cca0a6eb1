"""``/api/status`` and ``/api/models``: what the library holds, and which models there are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from twobranch import __version__
from twobranch.retrieval.display.status import known_models, library_status
from twobranch.server.errors import Problem
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

router = APIRouter(
    prefix="/api",
    tags=["library"],
    responses={503: {"model": Problem, "description": "A library that cannot be read"}},
)


class Folder(BaseModel):
    """A folder that the library knows."""

    path: str
    photos: int
    reachable: bool = Field(description="False where it is gone, or its drive not mounted.")


class CaptionFile(BaseModel):
    """A caption file that was indexed."""

    path: str
    format: str
    captions: int


class UnreadPhoto(BaseModel):
    """A photo that could not be read."""

    path: str
    reason: str


class Disk(BaseModel):
    """Bytes."""

    catalogue: int
    index: int
    thumbnails: int
    total: int


class LastIndex(BaseModel):
    """The last run of ``index`` that came to its end."""

    ended: str
    added: int
    updated: int
    moved: int
    removed: int
    failed: int


class FolderChanges(BaseModel):
    """Files that the next ``index`` would find new, changed or gone."""

    new: int
    changed: int
    gone: int
    caption_files: int


class LibraryStatus(BaseModel):
    """As ``status --json``."""

    library: str
    model: str | None = Field(description="None where nothing was encoded yet.")
    tta: bool = Field(description="Whether the photos were encoded in two views.")
    int8: bool = Field(description="Whether they were encoded in 8 bits.")
    photos: int
    searchable_photos: int
    captions: int
    searchable_captions: int
    captions_with_photo: int
    evaluations: int
    folders: list[Folder]
    caption_files: list[CaptionFile]
    failed: list[UnreadPhoto]
    without_vector: list[str]
    disk: Disk
    last_index: LastIndex | None
    changes: FolderChanges | None = Field(description="Null unless it was asked for with `scan`.")
    version: str = Field(description="Of the program.")
    folders_to_index: list[str] = Field(description="What `serve` was started with.")


class ModelFacts(BaseModel):
    """A model, and how good it is on its own dev split. Where its folder is gone there is but its name."""

    name: str
    folder: str | None
    preset: str | None
    backbone: str | None
    rsum: float | None
    text_to_image_R1: float | None = Field(alias="text_to_image_R@1")
    image_to_text_R1: float | None = Field(alias="image_to_text_R@1")
    corpus: str | None = Field(description="What it was trained with.")
    dim: int | None = Field(description="Numbers in a vector.")


class Models(BaseModel):
    """The shipped models, and those that the library was indexed with."""

    models: list[ModelFacts]


@router.get("/status", response_model=LibraryStatus)
async def status(
    state: Annotated[State, Depends(state_of)],
    scan: Annotated[bool, Query(description="Compare the folders with the library: lists them all.")] = False,
) -> Response:
    """What is indexed, with which model, what failed and why."""
    settings = state.settings
    facts = await run_in_threadpool(library_status, settings.library, scan=scan)
    folders = [str(folder) for folder in settings.folders]
    return json_reply({**facts, "version": __version__, "folders_to_index": folders})


@router.get("/models", response_model=Models)
async def models(state: Annotated[State, Depends(state_of)]) -> Response:
    """The models at hand, as ``models --json``."""
    return json_reply({"models": await run_in_threadpool(known_models, state.settings.library)})
