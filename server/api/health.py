"""``/healthz``: whether the catalogue answers."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.server.errors import Problem, Refused
from twobranch.server.state import State, state_of

router = APIRouter(tags=["operation"])


@router.get("/healthz", responses={503: {"model": Problem, "description": "It does not answer"}})
async def healthz(state: Annotated[State, Depends(state_of)]) -> Response:
    """200 when the catalogue answers. For everybody, so it says nothing else."""

    def work(reader: CatalogReader) -> None:
        # Opened anew: a reader that is open still reads a file that was deleted or replaced.
        with closing(CatalogReader.open(state.settings.library)) as fresh:
            fresh.active_model()

    try:
        await state.readers.run(work)
    except LibraryError:
        raise Refused(503, "the library does not answer; the command `status` says more") from None
    return Response(b'{"ok": true}', media_type="application/json")
