"""``/api/timeline`` and ``/api/photos``: all photos in an order."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from twobranch.indexer.catalog.filters import DateFrom
from twobranch.indexer.catalog.sorting import SORTINGS, Mark, Sort, is_integer
from twobranch.indexer.catalog.timeline import (
    ListedPhoto,
    Order,
    listed_photos,
    mark_of,
    position_after,
)
from twobranch.indexer.gazetteer.place_names import place_label
from twobranch.server.api.cursors import MOST_CHARACTERS, read_cursor, write_cursor, wrong_cursor
from twobranch.server.api.search import PhotoId
from twobranch.server.errors import Problem, Refused
from twobranch.server.filter_parameters import FilterParameters
from twobranch.server.http.etags import matches
from twobranch.server.http.replies import as_json, json_bytes_reply, json_reply
from twobranch.server.state import State, state_of
from twobranch.server.work.browsing_reader import BrowsingReader

router = APIRouter(prefix="/api", tags=["photos"])
Shared = Annotated[State, Depends(state_of)]
MOST = 500  # photos of a page
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "An invalid filter or cursor"},
    503: {"model": Problem, "description": "A library that cannot be read"},
}


class OrderParameters(FilterParameters):
    """Filters, and the order of the photos."""

    sort: Sort = "date"
    order: Literal["asc", "desc"] | None = Field(
        None, description="If not given, the newest and the largest first, folders from A to Z."
    )

    @property
    def descending(self) -> bool:
        return SORTINGS[self.sort].newest_first if self.order is None else self.order == "desc"

    @property
    def list_name(self) -> str:
        """Equal for parameters that make the same list."""
        which = self.model_dump(include=set(FilterParameters.model_fields))
        return f"photos {self.sort} {self.descending} {which}"


class PhotosParameters(OrderParameters):
    """A page of photos, or photos by their ids."""

    id: list[PhotoId] = Field([], max_length=MOST, description="These photos instead, in this order.")
    cursor: str | None = Field(
        None, max_length=MOST_CHARACTERS, description="`next` of the page before, for the same list."
    )
    limit: int = Field(100, ge=1, le=MOST, description="Most photos on a page.")


class TimelineSection(BaseModel):
    """Photos in a row with the same heading."""

    key: str = Field(description="A month, a folder or a range of sizes.", examples=["2023-06"])
    photos: int


class TimelineAnswer(BaseModel):
    """All photos that pass the filters: enough to lay them out."""

    version: int = Field(description="Another number: the library has changed since.")
    sort: Sort
    order: Literal["asc", "desc"]
    photos: int
    sections: list[TimelineSection] = Field(description="In the order of the photos.")
    ids: list[int] = Field(description="The photos.")
    ratios: list[int] = Field(description="100 times width by height of each; 150 where it is not known.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 12,
                    "sort": "date",
                    "order": "desc",
                    "photos": 3,
                    "sections": [{"key": "2023-07", "photos": 2}, {"key": "2023-06", "photos": 1}],
                    "ids": [7, 9, 4],
                    "ratios": [150, 75, 133],
                }
            ]
        }
    )


class PhotoItem(BaseModel):
    """A photo of a page."""

    photo: int
    path: str
    date: str | None = Field(description="By the camera's clock, or else of the file.")
    date_from: DateFrom
    width: int | None
    height: int | None
    content: str | None = Field(description="Changes with what is in the file.")
    bytes: int
    rating: int | None = Field(description="From 1 to 5.")
    favourite: bool
    place: str | None = Field(description="The town that it was taken in, as the filter `place` takes it.")


class PhotosAnswer(BaseModel):
    """A page of photos."""

    photos: list[PhotoItem]
    next: str | None = Field(description="The cursor of the next page; null after the last one.")
    total: int = Field(description="Photos on all pages.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "photos": [
                        {
                            "photo": 7,
                            "path": "/photos/coffee.png",
                            "date": "2023-07-04T12:00:00",
                            "date_from": "photo",
                            "width": 600,
                            "height": 400,
                            "content": "cc02f8ca188b167c",
                            "bytes": 481_211,
                            "rating": None,
                            "favourite": False,
                            "place": "Paris, France",
                        }
                    ],
                    "next": "WyJlM2IwYzQ0MiIsIjIwMjMtMDctMDQgMTI6MDA6MDAiLDdd",
                    "total": 24,
                }
            ]
        }
    )


@router.get(
    "/timeline",
    response_model=TimelineAnswer,
    responses={304: {"description": "Not modified"}, **_PROBLEMS},
)
async def timeline(
    request: Request, parameters: Annotated[OrderParameters, Query()], state: Shared
) -> Response:
    """Return the ids and shapes of all photos, in an order."""
    answer = await timeline_answer(state, parameters)
    etag = f'"{sha256(answer).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if matches(etag, request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    response = json_bytes_reply(answer)
    response.headers.update(headers)
    return response


@router.get("/photos", response_model=PhotosAnswer, responses=_PROBLEMS)
async def photos(parameters: Annotated[PhotosParameters, Query()], state: Shared) -> Response:
    """Return a page of photos, or photos by their ids."""
    if parameters.id:
        if parameters.model_fields_set - {"id", "limit"}:
            raise Refused(400, "photos are asked for by id alone; leave out filters, order and cursor")
        items = await state.readers.run(lambda reader: listed_photos(reader, parameters.id))
        return json_reply({"photos": [_item(item) for item in items], "next": None, "total": len(items)})
    mark = None if parameters.cursor is None else _mark(parameters, parameters.cursor)
    filters = parameters.filters()

    def work(reader: BrowsingReader) -> dict[str, Any]:
        with reader.order(filters, parameters.sort, parameters.descending) as order:
            start = 0 if mark is None else position_after(reader, order, mark)
            end = min(start + parameters.limit, len(order))
            cursor = None
            if end < len(order):
                last = mark_of(reader, order, end - 1)
                cursor = write_cursor(parameters.list_name, [last.value, last.id])
            items = listed_photos(reader, order.ids[start:end].tolist())
        return {"photos": [_item(item) for item in items], "next": cursor, "total": len(order)}

    return json_reply(await state.readers.run(work))


async def timeline_answer(state: State, parameters: OrderParameters) -> bytes:
    """Return the timeline as JSON, remembered until the library changes.

    Raises ``UserError``.
    """
    asked, version = parameters.list_name, state.version()
    answer = state.timelines.get(asked, version)
    if answer is None:
        filters = parameters.filters()

        def work(reader: BrowsingReader) -> bytes:
            with reader.order(filters, parameters.sort, parameters.descending) as order:
                return as_json(_timeline(order, version))

        answer = await state.readers.run(work)
        state.timelines.keep(asked, version, answer)
    return answer


def _timeline(order: Order, version: int) -> dict[str, Any]:
    return {
        "version": version,
        "sort": order.sort,
        "order": "desc" if order.descending else "asc",
        "photos": len(order),
        "sections": [{"key": section.key, "photos": section.photos} for section in order.sections],
        "ids": order.ids.tolist(),
        "ratios": order.ratios.tolist(),
    }


def _mark(parameters: PhotosParameters, cursor: str) -> Mark:
    """Read the mark in a cursor. Raises ``Refused``."""
    place = read_cursor(parameters.list_name, cursor)
    if len(place) != 2 or not SORTINGS[parameters.sort].is_value(place[0]) or not is_integer(place[1]):
        raise wrong_cursor()
    return Mark(*place)


def _item(photo: ListedPhoto) -> dict[str, Any]:
    return {
        "photo": photo.id,
        "path": str(photo.path),
        "date": None if photo.date is None else photo.date.isoformat(),
        "date_from": photo.date_from,
        "width": photo.width,
        "height": photo.height,
        "content": photo.content,
        "bytes": photo.bytes,
        "rating": photo.rating,
        "favourite": photo.favourite,
        "place": place_label(photo.latitude, photo.longitude),
    }
