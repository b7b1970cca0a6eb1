"""``/api/captions``: captions of one photo, or of the library by page."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from twobranch.indexer.catalog.photo_facts import captions_after, captions_of, count_captions, photo_file
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.server.errors import Problem, not_found
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api", tags=["captions"])


class CaptionRow(BaseModel):
    """A caption and its photo.

    ``photo`` and ``path`` are None when the photo is not in the library.
    """

    id: int
    text: str
    photo: int | None
    path: str | None
    split: str | None


class CaptionPage(BaseModel):
    """One page of captions, in the order they were indexed."""

    captions: list[CaptionRow]
    total: int = Field(description="Number of captions on all pages.")
    next: int | None = Field(description="Value of `after` for the next page; null on the last page.")


@router.get(
    "/captions",
    response_model=CaptionPage,
    responses={404: {"model": Problem, "description": "No such photo"}},
)
async def captions(
    state: Annotated[State, Depends(state_of)],
    photo: Annotated[int | None, Query(ge=1, lt=2**63, description="All captions of this photo.")] = None,
    after: Annotated[int, Query(ge=0, lt=2**63, description="Only captions with a higher id.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most captions on a page.")] = 100,
    split: Annotated[str | None, Query(description="Only captions of this split.", examples=["dev"])] = None,
) -> Response:
    """Return the captions of a photo, or a page of all captions."""

    def work(reader: CatalogReader) -> bytes:
        if photo is not None:
            if photo_file(reader, photo) is None:
                raise not_found(f"photo {photo}")
            some = [caption for caption in captions_of(reader, photo) if split in (None, caption.split)]
            total, more = len(some), False
        else:
            some = captions_after(reader, after, limit + 1, split)
            some, more = some[:limit], len(some) > limit
            total = count_captions(reader, split)
        answer = {
            "captions": [
                {
                    "id": caption.id,
                    "text": caption.text,
                    "photo": caption.photo,
                    "path": None if caption.path is None else str(caption.path),
                    "split": caption.split,
                }
                for caption in some
            ],
            "total": total,
            "next": some[-1].id if more else None,
        }
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")

    return Response(await state.readers.run(work), media_type="application/json")
