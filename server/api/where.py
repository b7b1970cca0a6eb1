"""``/api/photos/{id}/where`` and ``/part``: phrases in a photo, and parts of it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Awaitable
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from twobranch.common.errors import ImageError
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.retrieval.display.heat_map import overlay
from twobranch.retrieval.query import MOST_CHARACTERS
from twobranch.retrieval.where.locator import Located
from twobranch.server.api.boxes import BoxText, edges_of
from twobranch.server.api.photos import GONE, PhotoId, Shared
from twobranch.server.errors import Problem, Refused
from twobranch.server.http.disconnects import Left, unless_left
from twobranch.server.http.etags import matches
from twobranch.server.http.replies import as_json
from twobranch.server.work.engines import ServedEngine
from twobranch.server.work.photo_files import check_indexed, find_file

router = APIRouter(prefix="/api/photos", tags=["photos"])
_SIDE = 640  # pixels of an overlay's longer side
_QUALITY = 80  # of WebP, 0 to 100
_MOST_PHRASES = 8
_Kind: TypeAlias = Literal["json", "png", "webp"]
_MEDIA_TYPES: dict[_Kind, str] = {"json": "application/json", "png": "image/png", "webp": "image/webp"}
Answer = TypeVar("Answer")


def _checked_phrase(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("phrase", "an empty phrase; say what to look for")
    return " ".join(text.split())


_Phrase = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(_checked_phrase)]


class WhereParameters(BaseModel):
    """The phrases to look for, and the form of the answer."""

    model_config = ConfigDict(extra="forbid")

    q: list[_Phrase] = Field(
        min_length=1,
        max_length=_MOST_PHRASES,
        description="Phrases to look for.",
        examples=[["a dog", "a red ball"]],
    )
    language: str | None = Field(
        None, max_length=20, description="Of the words; told from them if not given.", examples=["de"]
    )
    format: _Kind | None = Field(
        None,
        description="`png` and `webp`: a transparent picture of the heat of the first phrase, "
        "to be laid over the photo. If not given, the header Accept decides.",
    )

    def kind(self, accept: str) -> _Kind:
        """Return the form of the answer."""
        if self.format is not None:
            return self.format
        asked = {kind: accept.find(media) for kind, media in _MEDIA_TYPES.items() if media in accept}
        return min(asked, key=lambda kind: asked[kind], default="json")


class RegionModel(BaseModel):
    """A box in the photo that fits the phrase."""

    box: tuple[int, int, int, int] = Field(description="Left, top, right and bottom, in pixels.")
    score: float = Field(description="Of the phrase with the best cell of this part.")
    confidence: float = Field(description="Probability that the phrase is there.")


class PhraseModel(BaseModel):
    """The places of a phrase."""

    phrase: str
    score: float = Field(description="Of the phrase with the best cell.")
    confidence: float = Field(description="Probability that the phrase is anywhere in the photo.")
    regions: list[RegionModel] = Field(description="The best first; none where nothing fits.")
    heat: list[list[float]] = Field(description="From 0 to 1, for each cell of a grid, row by row.")


class WhereAnswer(BaseModel):
    """The answer of ``where --json``, with the id of the photo."""

    photo: int
    width: int = Field(description="Of the upright photo, in pixels.")
    height: int
    phrases: list[PhraseModel]


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    **GONE,
    400: {"model": Problem, "description": "A phrase without a known word, or an unknown language"},
    409: {"model": Problem, "description": "A model that gives no cells"},
}


@router.get(
    "/{photo}/where",
    response_model=WhereAnswer,
    responses={
        200: {"content": {"image/png": {}, "image/webp": {}}},
        304: {"description": "Not modified"},
        **_PROBLEMS,
    },
)
async def where(
    request: Request, photo: PhotoId, parameters: Annotated[WhereParameters, Query()], state: Shared
) -> Response:
    """Find phrases in a photo, as heat maps and boxes.

    A file that has changed since it was indexed is not looked at.
    """
    kind = parameters.kind(request.headers.get("accept", ""))
    asked, version = f"{photo} {kind} {request.url.query}", state.version()
    answer = state.maps.get(asked, version)

    def check(reader: CatalogReader) -> None:
        check_indexed(find_file(reader, photo), state.proven)

    def work(engine: ServedEngine) -> bytes:
        engine.catch_up()
        phrases = tuple(parameters.q if kind == "json" else parameters.q[:1])
        return _encoded(photo, state.places.locate(engine, photo, phrases, parameters.language), kind)

    try:
        if answer is not None:
            await unless_gone(state.readers.run(check))
        else:
            answer = await unless_gone(unless_left(request, state.locators.run(work)))
            state.maps.keep(asked, version, answer)
    except Left:
        return Response(status_code=499)  # as nginx counts them
    return _tagged(answer, _MEDIA_TYPES[kind], request)


@router.get(
    "/{photo}/part",
    response_class=Response,
    responses={
        200: {"content": {"image/webp": {}}, "description": "WebP, at most 256 pixels a side"},
        304: {"description": "Not modified"},
        **GONE,
        400: {"model": Problem, "description": "A box that is not in the photo, or too small"},
    },
)
async def part(
    request: Request,
    photo: PhotoId,
    box: Annotated[
        BoxText, Query(description="left,top,right,bottom, in pixels.", examples=["120,80,360,300"])
    ],
    state: Shared,
) -> Response:
    """Return a thumbnail of a part of a photo.

    ``like`` and ``box`` of /api/search find photos like it.
    """

    def work(engine: ServedEngine) -> bytes:
        engine.catch_up()
        return state.places.part(engine, photo, edges_of(box)).thumbnail

    try:
        picture = await unless_gone(unless_left(request, state.locators.run(work)))
    except Left:
        return Response(status_code=499)
    return _tagged(picture, "image/webp", request)


async def unless_gone(work: Awaitable[Answer]) -> Answer:
    """Return the result of work on a photo's file. Raises ``Refused`` if it cannot be read."""
    try:
        return await work
    except ImageError as error:
        raise Refused(404, str(error)) from None


def _encoded(photo: int, located: Located, kind: _Kind) -> bytes:
    """Return the answer in the form that was asked for."""
    if kind == "json":
        return as_json({"photo": photo, **located.as_json()})
    scale = _SIDE / max(located.width, located.height)
    size = max(1, round(located.width * scale)), max(1, round(located.height * scale))
    file = io.BytesIO()
    overlay(located.phrases[0].heat_map, *size).save(file, kind.upper(), quality=_QUALITY)
    return file.getvalue()


def _tagged(answer: bytes, media_type: str, request: Request) -> Response:
    """Return an answer that browsers store, and check each time.

    The tag is of the answer itself: a model with other cells may have the same fingerprint.
    """
    etag = f'"{hashlib.sha256(answer).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept"}
    if matches(etag, request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(answer, headers=headers, media_type=media_type)
