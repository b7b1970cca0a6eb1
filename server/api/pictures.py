"""``/api/pictures``: thumbnails of uploaded pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from twobranch.server.errors import Problem, not_found
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api/pictures", tags=["search"])


@router.get(
    "/{name}/thumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/webp": {}}, "description": "WebP, at most 256 pixels a side"},
        404: {"model": Problem, "description": "No such picture, or it is no longer stored"},
    },
)
async def thumbnail(name: str, state: Annotated[State, Depends(state_of)]) -> Response:
    """Return the thumbnail of an uploaded picture.

    ``name`` comes from the answer of POST /api/search.
    """
    picture = state.pictures.get(name)
    if picture is None:
        raise not_found("picture of that name")
    # The name is a hash of the picture's bytes, so the thumbnail never changes.
    forever = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(picture.thumbnail, media_type="image/webp", headers=forever)
