"""``/api/map``: photos that have coordinates, as the points of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.albums import check_albums
from twobranch.indexer.catalog.map_points import content_and_town
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.retrieval.map_clusters import MOST_ZOOM, Bounds, MapPoint, PhotoMap
from twobranch.retrieval.map_towns import towns_on_map
from twobranch.server.errors import Problem
from twobranch.server.filter_parameters import FilterParameters
from twobranch.server.http.replies import json_reply
from twobranch.server.state import State, state_of

router = APIRouter(prefix="/api", tags=["photos"])
_DIGITS = 6  # of degrees: 0.1 m
_DIGITS_OF_KM = 3


class MapParameters(FilterParameters):
    """Filters, and the part of the map."""

    zoom: int = Field(0, ge=0, le=MOST_ZOOM, description="Of a web map: 0 is the whole earth in 256 pixels.")
    bounds: str | None = Field(
        None,
        max_length=200,
        description="south,west,north,east in degrees. Across the antimeridian west is above east, "
        "or one of them beyond 180.",
        examples=["36.9,-9.6,42.2,-6.1"],
    )


class MapAnswer(BaseModel):
    """The photos as points, which have those in 64 pixels together."""

    photos: int = Field(description="Photos with coordinates that match, in the bounds or not.")
    bounds: tuple[float, float, float, float] | None = Field(
        description="South, west, north and east of them. Across the antimeridian east is above 180."
    )
    points: list[tuple[float, float, int, int, str | None, str | None, float]] = Field(
        description="Latitude, longitude, number of photos, the latest one, its `content`, its town, and "
        "within how many kilometres all of them are. At most 2,000."
    )

    towns: list[tuple[float, float, str]] = Field(
        description="Latitude, longitude and name of the largest towns in the bounds, from zoom 4 on."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "photos": 3,
                    "bounds": [43.7, 2.2945, 48.8584, 7.27],
                    "points": [
                        [48.8557, 2.3222, 2, 9, "cc02f8ca188b167c", "Paris, France", 2.05],
                        [43.7, 7.27, 1, 7, "0a4bb9f1ad0fd4ac", "Nice, France", 0.0],
                    ],
                    "towns": [[48.8534, 2.3488, "Paris"]],
                }
            ]
        }
    )


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "An invalid filter, or bounds that are none"},
    503: {"model": Problem, "description": "A library that cannot be read"},
}


@router.get("/map", response_model=MapAnswer, responses=_PROBLEMS)
async def photo_map(
    parameters: Annotated[MapParameters, Query()], state: Annotated[State, Depends(state_of)]
) -> Response:
    """Return the photos that have coordinates, as the points of a map."""
    filters, version = parameters.filters(), state.version()
    bounds = None if parameters.bounds is None else parse_bounds(parameters.bounds)

    def work(reader: CatalogReader) -> dict[str, Any]:
        check_albums(reader, filters)
        photos = state.photo_maps.get(reader, filters, version)
        points = photos.points(parameters.zoom, bounds)
        latest = content_and_town(reader, [point.photo for point in points])
        towns = towns_on_map(parameters.zoom, bounds)
        return {
            **_answer(photos, points, latest),
            "towns": [[town.latitude, town.longitude, town.name] for town in towns],
        }

    return json_reply(await state.readers.run(work))


def parse_bounds(text: str) -> Bounds:
    """Parse ``south,west,north,east`` in degrees. Raises ``UserError``."""
    try:
        south, west, north, east = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"{text!r} are no bounds; write south,west,north,east in degrees") from None
    if not (-90 <= south <= north <= 90 and abs(west) <= 1000 and abs(east) <= 1000):  # nan is in none
        raise UserError(f"{text}: south is not above north, both from -90 to 90 degrees")
    return Bounds(south, west, north, east)


def _answer(
    photos: PhotoMap, points: Sequence[MapPoint], latest: Mapping[int, tuple[str | None, str | None]]
) -> dict[str, Any]:
    around = photos.bounds
    return {
        "photos": len(photos),
        "bounds": None if around is None else [around.south, around.west, around.north, around.east],
        "points": [
            [
                round(point.latitude, _DIGITS),
                round(point.longitude, _DIGITS),
                point.n_photos,
                point.photo,
                *latest.get(point.photo, (None, None)),
                round(point.km, _DIGITS_OF_KM),
            ]
            for point in points
        ],
    }
