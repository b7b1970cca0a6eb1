"""``/api/photos``: a photo's metadata, its thumbnails and its file."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import IntEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from twobranch.common.errors import ImageError
from twobranch.indexer.catalog.albums import albums_of
from twobranch.indexer.catalog.filters import DateFrom
from twobranch.indexer.catalog.marks import marks_of
from twobranch.indexer.catalog.photo_facts import (
    CataloguedPhoto,
    captions_of,
    format_of,
    photo_facts,
)
from twobranch.indexer.catalog.photo_file import PhotoFile, open_original
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.disk.open import content_name
from twobranch.indexer.gazetteer.place_names import named_place, place_label
from twobranch.retrieval.engine import SearchEngine
from twobranch.server.api.originals import original
from twobranch.server.api.thumbnails import Thumbnail
from twobranch.server.errors import Problem, Refused, not_found
from twobranch.server.http.disconnects import Left, unless_left
from twobranch.server.http.etags import matches
from twobranch.server.state import State, state_of
from twobranch.server.work.engines import ServedEngine
from twobranch.server.work.photo_files import find_file

router = APIRouter(prefix="/api/photos", tags=["photos"])
PhotoId = Annotated[int, Path(ge=1, lt=2**63, description="The id of the photo.")]  # SQLite's integers
Shared = Annotated[State, Depends(state_of)]


class Side(IntEnum):
    """Largest size of the longer side, in pixels.

    For a grid, for a grid on a high-density screen, and for a whole window.
    """

    SMALL = 320
    MEDIUM = 640
    LARGE = 1600


_MOST_ALIKE = 24
GONE: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "No such photo, or its file cannot be read any more"},
    503: {"model": Problem, "description": "A library that cannot be read"},
}


class PhotoCaption(BaseModel):
    """A caption of the photo."""

    id: int
    text: str
    split: str | None


class AlikePhoto(BaseModel):
    """A photo that looks almost the same."""

    photo: int
    score: float = Field(description="Inner product of the two photos' unit vectors.")
    path: str
    width: int | None
    height: int | None
    content: str | None


class PhotoPlace(BaseModel):
    """The town that the photo was taken in or near."""

    name: str
    region: str | None
    country: str
    km: float = Field(description="Of its centre from the photo.")
    label: str = Field(description="Finds this town as the filter `place`.", examples=["Paris, France"])


class AlbumName(BaseModel):
    """An album that the photo is in."""

    id: int
    name: str


class PhotoAnswer(BaseModel):
    """The metadata of a photo, its captions and its near-duplicates."""

    photo: int
    path: str
    name: str
    folder: str = Field(description="The absolute path of its folder.")
    date: str = Field(description="By the camera's clock, or else of the file.")
    date_from: DateFrom = Field(description="Which of the two it is.")
    camera: str | None
    width: int | None
    height: int | None
    bytes: int
    format: str = Field(description="Its suffix, as the filter `format` takes it.", examples=["jpg"])
    latitude: float | None
    longitude: float | None
    place: PhotoPlace | None = Field(description="By GeoNames; null beyond 100 km.")
    keywords: list[str] = Field(description="Keywords, title and description in the file.")
    indexed_at: str = Field(description="In UTC.")
    failure: str | None = Field(description="Why it could not be read when it was indexed.")
    content: str | None = Field(description="Id of the file's content; changes with it.")
    captions: list[PhotoCaption]
    alike: list[AlikePhoto]
    rating: int | None = Field(description="From 1 to 5.")
    favourite: bool
    albums: list[AlbumName]


@router.get("/{photo}", response_model=PhotoAnswer, responses=GONE)
async def photo_answer(photo: PhotoId, state: Shared) -> Response:
    """Return a photo's metadata, captions and near-duplicates."""

    def work(engine: ServedEngine) -> bytes:
        engine.catch_up()
        facts = photo_facts(engine.catalog, photo)
        if facts is None:
            raise not_found(f"photo {photo}")
        answer = {
            **_facts(facts),
            "captions": [
                {"id": caption.id, "text": caption.text, "split": caption.split}
                for caption in captions_of(engine.catalog, photo)
            ],
            "alike": _alike(engine, photo),
            **asdict(marks_of(engine.catalog, [photo])[photo]),
            "albums": [{"id": id_, "name": name} for id_, name in albums_of(engine.catalog, photo)],
        }
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")

    return Response(await state.engines.run(work), media_type="application/json")


@router.get(
    "/{photo}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}}, 304: {"description": "Not modified"}, **GONE},
)
async def thumbnail(
    request: Request,
    photo: PhotoId,
    state: Shared,
    size: Annotated[Side, Query(description="Pixels of the longer side, at most.")] = Side.SMALL,
    v: Annotated[
        str | None, Query(description="The photo's `content`: the answer may then be cached for a year.")
    ] = None,
) -> Response:
    """Return an upright thumbnail of the current file, as WebP."""

    def look(reader: CatalogReader) -> tuple[PhotoFile, bytes | None, Thumbnail | None]:
        file = find_file(reader, photo)
        known = state.thumbnails.current(file)
        if known is None or matches(_etag(known, size), request.headers.get("if-none-match")):
            return file, known, None
        return file, known, state.thumbnails.ready(known, size)

    try:
        file, known, made = await state.readers.run(look)
        if made is None and known is not None:
            headers = _thumbnail_headers(known, size, v)
            if matches(headers["ETag"], request.headers.get("if-none-match")):
                return Response(status_code=304, headers=headers)
        if made is None:
            made = await unless_left(request, state.thumbnails.make(file, size))
    except ImageError as error:
        raise Refused(404, str(error)) from None
    except Left:
        return Response(status_code=499)  # as nginx counts them
    headers = _thumbnail_headers(made.content_hash, size, v)
    if matches(headers["ETag"], request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(made.data, headers=headers, media_type="image/webp")


@router.get(
    "/{photo}/original",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {}, "application/octet-stream": {}}},
        206: {"description": "The range that was asked for"},
        304: {"description": "Not modified"},
        416: {"description": "A range that the file does not have"},
        **GONE,
    },
)
async def original_file(request: Request, photo: PhotoId, state: Shared) -> Response:
    """Return the photo's file or a range of it, if unchanged.

    A file that has changed since it was indexed is not sent.
    """

    def look(reader: CatalogReader) -> Response:
        file = find_file(reader, photo)
        return original(open_original(file, state.proven), file.path.name, request.headers)

    try:
        return await state.readers.run(look)
    except ImageError as error:
        raise Refused(404, str(error)) from None


def _etag(content_hash: bytes, side: int) -> str:
    return f'"{content_hash.hex()[:32]}-{side}"'


def _thumbnail_headers(content_hash: bytes, side: int, v: str | None) -> dict[str, str]:
    is_named = v is not None and v == content_name(content_hash)
    return {
        "ETag": _etag(content_hash, side),
        # Private: proxies must not store photos that only some people may see.
        "Cache-Control": "private, max-age=31536000, immutable" if is_named else "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }


def _facts(photo: CataloguedPhoto) -> dict[str, Any]:
    path = photo.file.path
    return {
        "photo": photo.file.id,
        "path": str(path),
        "name": path.name,
        "folder": str(path.parent),
        "date": photo.date.isoformat(),
        "date_from": photo.date_from,
        "camera": photo.camera,
        "width": photo.width,
        "height": photo.height,
        "bytes": photo.file.file.size,
        "format": format_of(path.name),
        "latitude": photo.latitude,
        "longitude": photo.longitude,
        "place": _place(photo),
        "keywords": list(photo.keywords),
        "indexed_at": photo.indexed_at.isoformat(timespec="seconds") + "Z",
        "failure": photo.file.failure,
        "content": photo.content,
    }


def _place(photo: CataloguedPhoto) -> dict[str, Any] | None:
    """Return the town of a photo, if one is near."""
    place = named_place(photo.latitude, photo.longitude)
    if place is None:
        return None
    return {**place.as_json(), "label": place_label(photo.latitude, photo.longitude)}


def _alike(engine: SearchEngine, photo: int) -> list[dict[str, Any]]:
    """Return the near-duplicates of a photo, the most similar first."""
    if engine.model is None:
        return []
    index = engine.index("images")
    own = engine.catalog.vectors_of_images([photo], engine.model.id).get(photo)
    if own is None:
        return []
    try:
        vector = index.vectors([own])
    except KeyError:  # newer than the engine's index
        return []
    scores, ids = (row[0].tolist() for row in index.search(vector, _MOST_ALIKE + 1))
    score_of = {id_: score for id_, score in zip(ids, scores, strict=True) if id_ != own}
    ranked = [own, *score_of]
    # The first group is that of the photo.
    near = [ranked[at] for at in engine.comparison().groups(ranked)[0].duplicates]
    found = engine.catalog.found("images", near)
    return [
        {
            "photo": found[id_].photo,
            "score": round(score_of[id_], 6),
            "path": str(found[id_].path),
            "width": found[id_].width,
            "height": found[id_].height,
            "content": found[id_].content,
        }
        for id_ in near
        if id_ in found
    ][:_MOST_ALIKE]
