"""``PATCH /api/photos``: ratings and favourites."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool

from twobranch.indexer.catalog.filters import MOST_STARS
from twobranch.indexer.catalog.marks import set_marks
from twobranch.indexer.catalog.writing import writing
from twobranch.server.api.photo_ids import PhotoIds
from twobranch.server.errors import Problem
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api/photos", tags=["photos"])


class MarksChange(BaseModel):
    """Marks for photos. What is missing stays as it is."""

    photos: PhotoIds
    rating: int | None = Field(None, ge=0, le=MOST_STARS, description="0 removes it.")
    favourite: bool | None = None

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _check_change(self) -> MarksChange:
        if self.rating is None and self.favourite is None:
            raise PydanticCustomError("marks", "nothing to change; give `rating` or `favourite`")
        return self


class Changed(BaseModel):
    """The number of photos that have the marks now."""

    changed: int


@router.patch(
    "",
    response_model=Changed,
    responses={503: {"model": Problem, "description": "A library that cannot be written to"}},
)
async def change_marks(change: MarksChange, state: Annotated[State, Depends(state_of)]) -> Changed:
    """Rate photos, and make them favourites. The photo files stay as they are."""

    def work() -> int:
        with writing(state.settings.library) as connection:
            return set_marks(connection, change.photos, rating=change.rating, favourite=change.favourite)

    return Changed(changed=await run_in_threadpool(work))
