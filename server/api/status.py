"""``/api/status`` and ``/api/models``: the state of the library, and the models."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from twobranch import __version__
from twobranch.common.errors import LibraryError, ModelError
from twobranch.retrieval.confidence import Basis
from twobranch.retrieval.display.status import known_models, library_status
from twobranch.server.errors import Problem
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of
from twobranch.server.work.engines import ServedEngine

router = APIRouter(
    prefix="/api",
    tags=["library"],
    responses={503: {"model": Problem, "description": "A library that cannot be read"}},
)


class Folder(BaseModel):
    """A folder of the library."""

    path: str
    photos: int
    reachable: bool = Field(description="False if it is deleted, or its drive is not mounted.")


class Exclusion(BaseModel):
    """The patterns of ``--exclude`` for a folder."""

    path: str
    globs: list[str]


class CaptionFile(BaseModel):
    """A caption file that was indexed."""

    path: str
    format: str
    captions: int = Field(description="Its lines, those that repeat other captions too.")
    failure: str | None = Field(description="Why it could not be read the last time; its captions stay.")


class UnreadPhoto(BaseModel):
    """A photo that could not be read."""

    path: str
    reason: str


class Disk(BaseModel):
    """Disk usage of the library, in bytes."""

    catalogue: int
    index: int
    thumbnails: int
    total: int


class LastIndex(BaseModel):
    """The last complete run of ``index``."""

    ended: str
    added: int
    updated: int
    moved: int
    removed: int
    failed: int


class FolderChanges(BaseModel):
    """Numbers of new, changed and deleted files since the last ``index``."""

    new: int
    changed: int
    gone: int
    caption_files: int
    unreachable: int = Field(description="Photos whose folder or drive is away.")


class KeptVectors(BaseModel):
    """The vectors of a model in the library."""

    model: str
    tta: bool
    int8: bool
    active: bool = Field(description="True for the model that searches use.")
    photos: int
    captions: int
    windows: int = Field(description="Parts of photos that have vectors too (`index --regions`).")
    bytes: int = Field(description="Of its vectors and its index files.")


class LibraryStatus(BaseModel):
    """The answer of ``status --json``, with ``has_cells``, version and folders to index."""

    library: str
    model: str | None = Field(description="Null if nothing is encoded yet.")
    model_there: bool = Field(description="False if the folder of the model is gone.")
    tta: bool = Field(description="True if the photos were encoded in two views.")
    int8: bool = Field(description="True if they were encoded in 8 bits.")
    confidence_from: Basis | None = Field(
        description="Fitted with captions of photos, or with background texts. Null without a confidence."
    )
    regions: bool = Field(description="True if windows of photos are searched too.")
    models: list[KeptVectors] = Field(description="Every model that photos have vectors of.")
    has_cells: bool = Field(description="True if the model can tell where in a photo something is.")
    photos: int
    searchable_photos: int
    captions: int = Field(description="Equal captions of a photo count once.")
    repeated_captions: int = Field(description="Lines of caption files that repeat another caption.")
    searchable_captions: int
    captions_with_photo: int
    evaluations: int
    folders: list[Folder]
    forgotten: list[str] = Field(description="Paths that `forget` keeps out of their folders' scans.")
    excluded: list[Exclusion]
    caption_files: list[CaptionFile]
    failed: list[UnreadPhoto]
    without_regions: int = Field(description="Photos that lack windows, in a library with regions.")
    without_vector: list[str]
    disk: Disk
    last_index: LastIndex | None
    changes: FolderChanges | None = Field(description="Null without `scan`.")
    version: str = Field(description="The version of the program.")
    folders_to_index: list[str] = Field(description="The folders that `serve` was started with.")
    choosing: bool = Field(description="True if folders can be chosen with /api/folders.")
    adding: bool = Field(description="True if photos can be added with POST /api/photos.")


class ModelFacts(BaseModel):
    """A model with its metrics on its own dev split.

    If its folder is gone only its name is known.
    """

    name: str
    folder: str | None
    preset: str | None
    backbone: str | None
    rsum: float | None
    text_to_image_R1: float | None = Field(alias="text_to_image_R@1")
    image_to_text_R1: float | None = Field(alias="image_to_text_R@1")
    cost: dict[str, Any] | None = Field(description="Speed and memory, if they were measured.")
    corpus: str | None = Field(description="The captions it was trained with.")
    dim: int | None = Field(description="Dimension of its vectors.")


class Models(BaseModel):
    """The shipped models, and the models of the library."""

    models: list[ModelFacts]


@router.get("/status", response_model=LibraryStatus)
async def status(
    state: Annotated[State, Depends(state_of)],
    scan: Annotated[bool, Query(description="Compare the library with all files in its folders.")] = False,
) -> Response:
    """Return the state of the library, as ``status --json``."""
    settings = state.settings
    facts = await run_in_threadpool(library_status, settings.library, scan=scan)
    folders = [str(folder) for folder in settings.folders]
    has_cells = await state.engines.run(_has_cells)
    own = {"version": __version__, "folders_to_index": folders, "adding": settings.adding}
    return json_reply({**facts, "has_cells": has_cells, "choosing": bool(state.folder_choice), **own})


def _has_cells(engine: ServedEngine) -> bool:
    """Return True if the library's model gives cells. False for a model that is gone."""
    try:
        engine.catch_up()
        return engine.encoder.has_cells
    except (LibraryError, ModelError):
        return False


@router.get("/models", response_model=Models)
async def models(state: Annotated[State, Depends(state_of)]) -> Response:
    """Return the available models, as ``models --json``."""
    return json_reply({"models": await run_in_threadpool(known_models, state.settings.library)})
