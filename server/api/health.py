"""``/healthz``: a health check of the catalogue."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.server.errors import Problem, Refused
from twobranch.server.state import State, state_of

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """The answer while the catalogue can be read."""

    ok: Literal[True]


@router.get(
    "/healthz",
    response_model=Health,
    responses={503: {"model": Problem, "description": "The catalogue cannot be read"}},
)
async def healthz(state: Annotated[State, Depends(state_of)]) -> Response:
    """Return 200 if the catalogue can be read.

    It needs no token, so the answer has no other facts.
    """

    def work(reader: CatalogReader) -> None:
        # Open it again: an open reader still reads a file that was deleted or replaced.
        with closing(CatalogReader.open(state.settings.library)) as fresh:
            fresh.active_model()

    try:
        await state.readers.run(work)
    except LibraryError:
        raise Refused(503, "the library cannot be read; the command `status` shows why") from None
    return Response(b'{"ok": true}', media_type="application/json")
