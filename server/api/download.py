"""``/api/download``: photos as one ZIP file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, ValidationError
from python_multipart.exceptions import FormParserError

from twobranch.indexer.catalog.photo_facts import photo_files
from twobranch.server.api.archive import zip_pieces
from twobranch.server.api.photo_ids import MOST_PHOTOS, PhotoIds
from twobranch.server.errors import Problem, Refused
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api", tags=["photos"])
_FORM = "application/x-www-form-urlencoded"


class Download(BaseModel):
    """Photos to download."""

    photos: PhotoIds

    model_config = ConfigDict(extra="forbid")


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["photos"],
                    "properties": {
                        "photos": {
                            "type": "array",
                            "items": {"type": "integer"},
                            "minItems": 1,
                            "maxItems": MOST_PHOTOS,
                        }
                    },
                },
                "example": {"photos": [7, 12]},
            },
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["photos"],
                    "properties": {"photos": {"type": "string", "description": "Ids with commas between."}},
                },
                "example": {"photos": "7,12"},
            },
        },
    }
}


@router.post(
    "/download",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/zip": {}}, "description": "The files, not compressed again"},
        400: {"model": Problem, "description": "A body that cannot be read"},
        404: {"model": Problem, "description": "None of these photos is in the library"},
        415: {"model": Problem, "description": "A body that is neither JSON nor a form"},
        503: {"model": Problem, "description": "A library that cannot be read"},
    },
    openapi_extra=_BODY,
)
async def download(request: Request, state: Annotated[State, Depends(state_of)]) -> StreamingResponse:
    """Return the files of photos as a ZIP file.

    It begins at once. A file that has changed since it was indexed is left out; `left-out.txt` in the archive
    names it. A plain form of a page can ask for it too.
    """
    photos = await _asked(request)
    files = await state.readers.run(lambda reader: photo_files(reader, photos))
    if not files:
        raise Refused(404, "none of these photos is in the library; they may have left it")
    name = f"photos-{date.today()}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(
        _sent(zip_pieces(files, state.proven)), headers=headers, media_type="application/zip"
    )


async def _asked(request: Request) -> list[int]:
    """Return the ids in the body. Raises ``Refused``."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", _FORM):
        raise Refused(415, f"name the photos as application/json or {_FORM}")
    try:
        if kind == _FORM:
            async with request.form(max_files=0, max_fields=4) as form:
                body: Any = {
                    "photos": [part for part in str(form.get("photos", "")).split(",") if part.strip()]
                }
        else:
            body = json.loads(await request.body())
    except (FormParserError, ValueError, RecursionError):
        raise Refused(400, "the body cannot be read") from None
    try:
        return Download.model_validate(body).photos
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refused(422, f"{where}: {first['msg']}") from None


async def _sent(pieces: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    """Yield the pieces, each made in a thread.

    They end when the client has left.
    """
    run = asyncio.get_running_loop().run_in_executor
    try:
        while (piece := await run(None, next, pieces, None)) is not None:
            if piece:
                yield piece
    finally:
        with suppress(ValueError):  # a thread still makes the next piece; with it the generator ends
            pieces.close()
