"""``POST /api/photos``: add photos to the library."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from twobranch.common.errors import ImageError, LibraryError
from twobranch.server.api.photos import Shared
from twobranch.server.errors import Problem, Refused
from twobranch.server.http.disconnects import Left
from twobranch.server.http.replies import json_reply
from twobranch.server.http.uploads import form_of
from twobranch.server.state import State

router = APIRouter(prefix="/api/photos", tags=["photos"])
_MOST = 20  # photos in a form


class AddedPhoto(BaseModel):
    """A photo that was stored, or was there already."""

    name: str = Field(description="As it was sent.")
    path: str


class RefusedFile(BaseModel):
    """A file that was not stored."""

    name: str
    reason: str


class AddedAnswer(BaseModel):
    """The stored photos and the refused files."""

    folder: str = Field(description="The folder of added photos, in the library folder.")
    added: list[AddedPhoto]
    failed: list[RefusedFile]
    problem: str | None = Field(
        description="Why they cannot be indexed now, as while `index` runs in a terminal."
    )


@router.post(
    "",
    response_model=AddedAnswer,
    status_code=201,
    responses={
        200: {"model": AddedAnswer, "description": "Nothing new was stored"},
        400: {"model": Problem, "description": "A form that cannot be read"},
        403: {"model": Problem, "description": "Photos cannot be added here"},
        413: {"model": Problem, "description": "A form that is too large"},
        507: {"model": Problem, "description": "The disk is nearly full"},
    },
    openapi_extra=form_of("file", many=True),
)
async def add(request: Request, state: Shared) -> Response:
    """Store photos in the library, and index them.

    Each is checked to be a readable photo. Names are kept, with a number behind those that are taken. The run
    starts at once, or after the one that is on; see GET /api/index.
    """
    if not state.settings.adding:
        raise Refused(403, "photos cannot be added here; the server was started with --no-choosing")
    if not await run_in_threadpool(state.added_photos.has_room):
        raise Refused(507, "the disk of the library is nearly full; free some space")
    added: list[tuple[AddedPhoto, bool]] = []
    failed: list[RefusedFile] = []
    problem = None
    try:
        async with state.uploads.take_files(request, _MOST) as files:
            for file in files:
                await _keep(request, state, file, added, failed)
    except Left:
        return Response(status_code=499)  # as nginx counts them
    finally:  # what was stored before the visitor left is indexed too
        # Photos that were there already are indexed as well: a server that was killed may have left them so.
        if added:
            problem = await run_in_threadpool(_index, state)
    is_new = any(new for _, new in added)
    answer = AddedAnswer(
        folder=str(state.added_photos.folder),
        added=[photo for photo, _ in added],
        failed=failed,
        problem=problem,
    )
    reply = json_reply(answer.model_dump())
    reply.status_code = 201 if is_new else 200
    return reply


async def _keep(
    request: Request,
    state: State,
    file: UploadFile,
    added: list[tuple[AddedPhoto, bool]],
    failed: list[RefusedFile],
) -> None:
    """Store one file, or note why not. Raises ``Left``."""
    name = file.filename or ""
    try:
        path, is_new = await state.uploads.decode(
            request, file, lambda data, patience: state.added_photos.keep(name, data, patience)
        )
        added.append((AddedPhoto(name=name, path=str(path)), is_new))
    except ImageError as error:
        failed.append(RefusedFile(name=name, reason=error.reason))
    except Refused as error:  # it takes too long to decode
        failed.append(RefusedFile(name=name, reason=error.error))
    except OSError as error:
        failed.append(RefusedFile(name=name, reason=(error.strerror or str(error)).lower()))


def _index(state: State) -> str | None:
    """Index the added photos now or after the current run. Returns why that cannot be."""
    folder = state.added_photos.folder
    try:
        state.indexing.start_or_queue(folder)
    except LibraryError as error:
        return f"{error}; then run `index {folder}`"
    return None
