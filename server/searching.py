"""``/api/search``: what the command ``search`` does, over HTTP."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from embedding.errors import UserError
from indexer.filters import Filters, Shape
from indexer.reader import Gallery
from retrieval.answer import Answer
from retrieval.asking import Asked, put_right
from retrieval.engine import SearchEngine
from retrieval.filtertext import parse_filters
from retrieval.fusion import Ranking
from retrieval.query import MOST_CHARACTERS, Item, Term, parse_query, with_feedback
from retrieval.query import Query as AskedQuery
from server.engines import ServedEngine
from server.errors import Problem, Refused
from server.leaving import Left
from server.pictures import Pictures
from server.state import State, state_of
from server.uploads import FORM

if TYPE_CHECKING:
    from embedding.encoder import Encoder

router = APIRouter(prefix="/api", tags=["search"])
MOST = 1000  # hits of one search
PhotoId = Annotated[int, Field(ge=1, lt=2**63)]  # SQLite's integers


class FilterParameters(BaseModel):
    """Which photos may be found."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, description="Taken then or later.", examples=["2023-06"])
    before: str | None = Field(None, description="Taken before that.", examples=["2023-09-15"])
    path: list[str] = Field([], description="Files or folders of this name.", examples=[["holiday/**"]])
    not_path: list[str] = Field([], description="None of these.", examples=[["raw"]])
    camera: list[str] = Field([], description="Cameras.", examples=[["Pixel*"]])
    near: str | None = Field(None, description="Taken near latitude,longitude.", examples=["48.85,2.35"])
    within: str | None = Field(None, description="How near; 10km if not given.", examples=["20km"])
    shape: Shape | None = None
    min_size: str | None = Field(None, description="At least so many pixels.", examples=["2MP", "1920x1080"])
    format: list[str] = Field([], description="Kinds of files.", examples=[["png"]])

    def filters(self) -> Filters:
        """As the catalogue takes them. Raises ``UserError``."""
        return parse_filters(
            after=self.after,
            before=self.before,
            paths=self.path,
            not_paths=self.not_path,
            cameras=self.camera,
            near=self.near,
            within=self.within,
            shapes=[self.shape] if self.shape else [],
            min_size=self.min_size,
            formats=self.format,
        )


class SearchParameters(FilterParameters):
    """What to look for. Without any of ``q``, ``picture`` and ``like``, the newest photos."""

    q: str = Field(
        "",
        max_length=MOST_CHARACTERS,
        description="Sentences; + and - stand alone between them, `2:` before one is its weight.",
        examples=["red car on a street", "2:golden retriever + snow - fruit"],
    )
    picture: str | None = Field(None, description="A picture that was handed in, by the name it was given.")
    like: list[PhotoId] = Field([], max_length=100, description="More like these photos, by id.")
    unlike: list[PhotoId] = Field([], max_length=100, description="Less like these photos, by id.")
    in_: Gallery = Field("images", alias="in", description="What to search.")
    top: int = Field(50, ge=1, le=MOST, description="How many hits.")
    sort: Literal["relevance", "date"] = "relevance"
    min_confidence: float = Field(0.0, ge=0, le=1)
    ranking: Ranking = Field("fused", description="By words and pixels, or by one of them alone.")
    fold: bool = Field(True, description="Photos that look almost the same as one hit.")
    correct: bool = Field(True, description="Put right what is certainly mistyped.")


class HitModel(BaseModel):
    """A photo or caption that was found."""

    rank: int
    score: float | None = Field(description="Inner product of two unit vectors, higher is closer.")
    confidence: float | None = Field(description="Probability that it matches.")
    date: str | None = Field(description="By the camera's clock.")
    path: str | None
    caption: str | None
    alike: list[str] = Field(description="Photos that look almost the same.")
    words: float | None = Field(description="What names, keywords and captions add in the ranking.")
    matched: list[str] = Field(description="Which of them have words of the query.")
    photo: int | None = Field(description="The id of the photo.")
    width: int | None
    height: int | None
    content: str | None = Field(description="Changes with what is in the file.")


class Correction(BaseModel):
    """A word that is probably mistyped."""

    word: str
    known: list[str] = Field(description="What may be meant, the likeliest first.")
    used: bool = Field(description="Whether the likeliest was searched for instead.")


class SearchAnswer(BaseModel):
    """As ``search --json``, and what became of the query."""

    query: str
    in_: Gallery = Field(alias="in")
    matches_well: bool | None = Field(description="False: not even the best hit is a likely match.")
    n_matching: int | None = Field(description="After so many hits none is a likely match.")
    hits: list[HitModel]
    corrections: list[Correction]
    unknown_words: list[str] = Field(description="They mean nothing to the model.")
    picture: str | None = Field(description="The name of the picture that was handed in.")
    gallery: int = Field(description="How many photos or captions can be found at all.")
    took_ms: float

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query": "a cup of coffee",
                    "in": "images",
                    "matches_well": True,
                    "n_matching": 1,
                    "hits": [
                        {
                            "rank": 1,
                            "score": 0.317,
                            "confidence": 0.61,
                            "date": None,
                            "path": "/photos/coffee.png",
                            "caption": None,
                            "alike": [],
                            "words": 0.04,
                            "matched": ["name"],
                            "photo": 7,
                            "width": 600,
                            "height": 400,
                            "content": "cc02f8ca188b167c",
                        }
                    ],
                    "corrections": [],
                    "unknown_words": [],
                    "picture": None,
                    "gallery": 24,
                    "took_ms": 6.1,
                }
            ]
        }
    )


Parameters = Annotated[SearchParameters, Query()]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "A query that cannot be understood"},
    404: {"model": Problem, "description": "A photo or picture that is not there (any more)"},
    503: {"model": Problem, "description": "A library that cannot be searched"},
}


@router.get("/search", response_model=SearchAnswer, responses=_PROBLEMS)
async def search(
    request: Request, parameters: Parameters, state: Annotated[State, Depends(state_of)]
) -> Response:
    """Photos or captions for words, for a picture, for photos of the library; or the newest."""
    started = time.perf_counter()
    asked, version = request.url.query, state.version()
    remembered = state.answers.get(asked, version)
    if remembered is not None:
        return _timed(remembered, started)

    def work(engine: ServedEngine) -> tuple[bytes, bool]:
        is_current = engine.catch_up()
        return _search(engine, parameters, state.pictures), is_current

    answer, is_current = await state.engines.run(work)
    if is_current:
        state.answers.keep(asked, version, answer)
    return _timed(answer, started)


@router.post(
    "/search",
    response_model=SearchAnswer,
    responses={**_PROBLEMS, 413: {"model": Problem, "description": "A picture that is too large"}},
    openapi_extra=FORM,
)
async def search_by_picture(
    request: Request, parameters: Parameters, state: Annotated[State, Depends(state_of)]
) -> Response:
    """As GET, for a picture that is handed in; ``picture`` in the answer is its name for later searches."""
    started = time.perf_counter()

    def find_encoder(engine: ServedEngine) -> Encoder:
        engine.catch_up()
        return engine.encoder

    def work(engine: ServedEngine) -> bytes:
        engine.catch_up()
        return _search(engine, parameters.model_copy(update={"picture": picture.name}), state.pictures)

    try:
        async with state.uploads.take(request) as file:
            encoder = await state.engines.run(find_encoder)
            picture = await state.uploads.decode(
                request, file, lambda data, patience: state.pictures.take(data, encoder, patience)
            )
    except Left:
        return Response(status_code=499)  # as nginx counts them
    return _timed(await state.engines.run(work), started)


def _timed(answer: bytes, started: float) -> Response:
    """The answer with the time it took, which is not kept with it."""
    took_ms = round((time.perf_counter() - started) * 1000, 1)
    return Response(answer[:-1] + f', "took_ms": {took_ms}}}'.encode(), media_type="application/json")


def _search(engine: SearchEngine, parameters: SearchParameters, pictures: Pictures) -> bytes:
    """The answer as JSON but for its time."""
    query = _query(engine, parameters, pictures)
    asked = _asked(engine, query, parameters)
    query, gallery, n_gallery = asked.query, parameters.in_, len(engine.index(parameters.in_))
    hits = engine.search(
        query,
        parameters.top,
        gallery,
        parameters.min_confidence,
        by_date=parameters.sort == "date",
        fold=parameters.fold,
        ranking=parameters.ranking if query.sentence is not None and gallery == "images" else "fused",
    )
    answer = Answer(
        str(query),
        gallery,
        hits,
        engine.matches_well(query, hits, gallery) if query.terms and n_gallery else None,
        0.0,
        engine.n_matching(query, hits, gallery),
    )
    facts = {
        **answer.as_json(),
        "corrections": [
            {"word": one.word, "known": list(one.known), "used": one.is_certain and parameters.correct}
            for one in asked.corrections
        ],
        "unknown_words": list(asked.unknown),
        "picture": parameters.picture,
        "gallery": n_gallery,
    }
    del facts["took_ms"]
    # As UTF-8, where a name that is not in it cannot be written: such bytes are replaced.
    return json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace")


def _query(engine: SearchEngine, parameters: SearchParameters, pictures: Pictures) -> AskedQuery:
    """What is meant. Raises ``UserError``, and ``Refused`` for what is not there."""
    filters = parameters.filters()
    if parameters.q.strip():
        query = parse_query([parameters.q], filters=filters, files=False)
    else:
        query = AskedQuery(filters=filters)
    if parameters.picture is not None:
        query = replace(query, terms=(*query.terms, _picture_term(engine, parameters.picture, pictures)))
    liked, disliked = _items(engine, parameters.like), _items(engine, parameters.unlike)
    if disliked and not (query.terms or liked):
        raise UserError("a query cannot only lead away; say what to look for as well")
    return with_feedback(query, liked, disliked)


def _picture_term(engine: SearchEngine, name: str, pictures: Pictures) -> Term:
    picture = pictures.get(name)
    if picture is None or engine.model is None or picture.fingerprint != engine.model.fingerprint:
        raise Refused(404, "that picture is no longer here; hand it in again")
    return Term(picture=picture.vector)


def _items(engine: SearchEngine, photos: list[int]) -> list[Item]:
    """Photos as what a query refers to."""
    if not photos or engine.model is None:
        return []
    vectors = engine.catalog.vectors_of_images(photos, engine.model.id)
    missing = [photo for photo in photos if photo not in vectors]
    if missing:
        raise Refused(404, f"there is no photo {missing[0]} that can be searched for; search anew")
    return [("images", vectors[photo]) for photo in photos]


def _asked(engine: SearchEngine, query: AskedQuery, parameters: SearchParameters) -> Asked:
    """The query with what is mistyped put right, unless that is not wanted: then it is only said."""
    asked = put_right(query, engine, by_words=parameters.ranking != "visual")
    return asked if parameters.correct else replace(asked, query=query)
