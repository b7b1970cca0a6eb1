"""``/api/search``: the command ``search`` over HTTP."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from twobranch.common.errors import ImageError
from twobranch.embedding.language import ENGLISH
from twobranch.indexer.catalog.filters import DateFrom
from twobranch.indexer.catalog.reader import Gallery
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.confidence import Basis
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.fusion import Ranking
from twobranch.retrieval.hits import Tier
from twobranch.retrieval.paging import PageStart
from twobranch.retrieval.query import MOST_CHARACTERS
from twobranch.retrieval.request import HitOrder, PhotoFeedback, SearchRequest
from twobranch.retrieval.terms import PartTerm, PictureTerm
from twobranch.retrieval.text_match import content_words
from twobranch.retrieval.understanding import Reason
from twobranch.server.api.boxes import BoxText, edges_of
from twobranch.server.api.cursors import MOST_CHARACTERS as MOST_CURSOR
from twobranch.server.api.cursors import read_cursor, write_cursor, wrong_cursor
from twobranch.server.errors import Problem, Refused
from twobranch.server.filter_parameters import FilterParameters
from twobranch.server.http.disconnects import Left, unless_left
from twobranch.server.http.replies import as_json, json_bytes_reply
from twobranch.server.http.uploads import FORM
from twobranch.server.state import State, state_of
from twobranch.server.work.engines import ServedEngine
from twobranch.server.work.uploaded_pictures import Pictures

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder

router = APIRouter(prefix="/api", tags=["search"])
MOST = 1000  # hits of one search
# English words of place, time and number, which nobody looks for in a photo by themselves.
_RELATIONS = frozenset({
    "about", "above", "across", "against", "all", "along", "another", "any", "around", "before", "behind",
    "below", "beneath", "beside", "between", "beyond", "both", "down", "during", "each", "few", "inside",
    "just", "like", "many", "near", "next", "other", "others", "outside", "several", "through", "together",
    "toward", "towards", "two", "three", "under", "very", "while", "within",
})  # fmt: skip
PhotoId = Annotated[int, Field(ge=1, lt=2**63)]  # SQLite's integers


class SearchParameters(FilterParameters):
    """The parameters of a search.

    Without ``q``, ``picture`` and ``like`` it finds the newest photos.
    """

    q: str = Field(
        "",
        max_length=MOST_CHARACTERS,
        description="Sentences; + and - stand alone between them, `2:` before one is its weight.",
        examples=["red car on a street", "2:golden retriever + snow - fruit"],
    )
    picture: str | None = Field(None, description="A picture that was handed in, by the name it was given.")
    like: list[PhotoId] = Field([], max_length=100, description="More like these photos, by id.")
    box: BoxText | None = Field(
        None,
        description="More like this part of the first photo of `like`: left,top,right,bottom in pixels.",
        examples=["120,80,360,300"],
    )
    unlike: list[PhotoId] = Field([], max_length=100, description="Less like these photos, by id.")
    in_: Gallery = Field("images", alias="in", description="What to search.")
    top: int = Field(50, ge=1, le=MOST, description="How many hits a page has.")
    cursor: str | None = Field(
        None, max_length=MOST_CURSOR, description="`next` of the page before, of the same search."
    )
    sort: HitOrder = Field("relevance", description="The best first, or in another order those that match.")
    min_confidence: float = Field(0.0, ge=0, le=1)
    ranking: Ranking = Field("fused", description="By words and pixels, or by one of them alone.")
    fold: bool = Field(True, description="Photos that look almost the same as one hit.")
    correct: bool = Field(True, description="Put right what is certainly mistyped.")
    dates: bool = Field(True, description="Read words such as `june 2020` as a filter.")
    language: str | None = Field(
        None, max_length=20, description="Of the words; told from them if not given.", examples=["de"]
    )

    @model_validator(mode="after")
    def _check_box(self) -> SearchParameters:
        if self.box is not None and not self.like:
            raise PydanticCustomError("box", "a box without a photo; `like` says of which")
        return self

    @property
    def start(self) -> PageStart | None:
        """The start of the page. Raises ``Refused`` for a wrong cursor."""
        if self.cursor is None:
            return None
        try:
            return PageStart.from_json(read_cursor(self.list_name, self.cursor))
        except (ValueError, TypeError):
            raise wrong_cursor() from None

    @property
    def list_name(self) -> str:
        """Equal for parameters that find the same hits."""
        return f"search {self.model_dump(exclude={'cursor', 'top'})}"

    def request(self, picture: PictureTerm | None, part: PartTerm | None) -> SearchRequest:
        """Return the request for the engine. Raises ``UserError``.

        ``picture`` is the uploaded picture and ``part`` the part in ``box``, if any.
        """
        liked = self.like if part is None else self.like[1:]
        feedback = PhotoFeedback(tuple(liked), tuple(self.unlike)) if liked or self.unlike else None
        return SearchRequest(
            words=(self.q,) if self.q.strip() else (),
            files=False,
            picture=picture,
            part=part,
            feedback=feedback,
            filters=self.filters(),
            gallery=self.in_,
            top=self.top,
            min_confidence=self.min_confidence,
            sort=self.sort,
            start=self.start,
            collapse=self.fold,
            ranking=self.ranking,
            correct=self.correct,
            language=self.language,
            dates=self.dates,
        )


class HitModel(BaseModel):
    """A photo or caption of the results."""

    rank: int
    score: float | None = Field(description="Inner product of two unit vectors, higher is closer.")
    confidence: float | None = Field(description="Probability that it matches, by pixels and words.")
    tier: Tier | None = Field(description="Four of five likely hits match.")
    date: str | None = Field(description="By the camera's clock, or else of the file.")
    date_from: DateFrom | None = Field(description="Which of the two it is.")
    path: str | None
    caption: str | None
    alike: list[str] = Field(description="Photos that look almost the same.")
    words: float | None = Field(description="What names, keywords and captions add in the ranking.")
    matched: list[str] = Field(description="Which of them have words of the query.")
    photo: int | None = Field(description="The id of the photo.")
    width: int | None
    height: int | None
    content: str | None = Field(description="Changes with what is in the file.")
    place: str | None = Field(description="The town that it was taken in, as the filter `place` takes it.")
    region: tuple[int, int, int, int] | None = Field(
        description="Left, top, right and bottom, in pixels, of the part that matches better than the whole."
    )
    rating: int | None = Field(description="Of the photo, from 1 to 5.")
    favourite: bool


class Correction(BaseModel):
    """A word that is probably misspelt."""

    word: str
    known: list[str] = Field(description="What may be meant, the likeliest first.")
    used: bool = Field(description="Whether the likeliest was searched for instead.")


class NotUnderstood(BaseModel):
    """The reason why pixels say nothing about a sentence."""

    reason: Reason
    text: str
    message: str


class DateWords(BaseModel):
    """Words of the query that name dates."""

    words: str
    after: str | None = Field(description="The first day.", examples=["2020-06-01"])
    before: str | None = Field(description="The day after the last.", examples=["2020-07-01"])
    yearly: list[str] | None = Field(
        description="Only these days of each year, the second excluded.", examples=[["12-01", "03-01"]]
    )
    used: bool = Field(description="False: no photo is of these dates; the words were searched for.")


class LikedPart(BaseModel):
    """The part of a photo that was searched for."""

    photo: int
    name: str = Field(description="Of the photo's file.")
    box: tuple[int, int, int, int] = Field(description="Left, top, right and bottom, in pixels.")


class Phrase(BaseModel):
    """A sentence of the query, to look for in photos with `where`."""

    text: str
    words: list[str] = Field(description="Those of several words that mean something.")


class SearchAnswer(BaseModel):
    """The answer of ``search --json``, with what the page shows besides."""

    query: str
    in_: Gallery = Field(alias="in")
    language: str | None = Field(description="That the words were read in.")
    matches_well: bool | None = Field(description="False: not even the best hit may match.")
    n_matching: int | None = Field(description="Hits of the best tier end after so many.")
    confidence_from: Basis | None = Field(
        description="Fitted with captions of photos, or with background texts. Null without a confidence."
    )
    not_understood: NotUnderstood | None = Field(description="Why pixels say nothing about the words.")
    hits: list[HitModel]
    corrections: list[Correction]
    dates: DateWords | None
    unknown_words: list[str] = Field(description="They mean nothing to the model.")
    picture: str | None = Field(description="The name of the picture that was handed in.")
    part: LikedPart | None = Field(description="The part in `box`.")
    phrases: list[Phrase] = Field(description="The sentences of the query, as they were searched for.")
    gallery: int = Field(description="How many photos or captions can be found at all.")
    passing: int = Field(description="How many of them pass the filters, dates in the words included.")
    next: str | None = Field(description="The cursor of the next page; null if there are no more hits.")
    took_ms: float = Field(description="Of the search itself; it may have been answered before.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query": "a cup of coffee",
                    "in": "images",
                    "language": "en",
                    "matches_well": True,
                    "n_matching": 1,
                    "confidence_from": "captions",
                    "not_understood": None,
                    "hits": [
                        {
                            "rank": 1,
                            "score": 0.317,
                            "confidence": 0.61,
                            "tier": "likely",
                            "date": "2023-07-04T12:00:00",
                            "date_from": "photo",
                            "path": "/photos/coffee.png",
                            "caption": None,
                            "alike": [],
                            "words": 0.04,
                            "matched": ["name"],
                            "photo": 7,
                            "width": 600,
                            "height": 400,
                            "content": "cc02f8ca188b167c",
                            "place": "Paris, France",
                            "region": None,
                            "rating": 4,
                            "favourite": False,
                        }
                    ],
                    "corrections": [],
                    "dates": None,
                    "unknown_words": [],
                    "picture": None,
                    "part": None,
                    "phrases": [{"text": "a cup of coffee", "words": ["cup", "coffee"]}],
                    "gallery": 24,
                    "passing": 24,
                    "next": None,
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
    """Search photos or captions.

    The query is words, an uploaded picture or photos of the library. Without a query it returns the newest
    photos.
    """
    # What "yesterday" means changes with the day.
    asked, version = f"{date.today()} {request.url.query}", state.version()
    remembered = state.answers.get(asked, version)
    if remembered is not None:
        return json_bytes_reply(remembered)

    def work(engine: ServedEngine) -> tuple[bytes, bool]:
        is_current = engine.catch_up()
        return _search(engine, parameters, state.pictures, part), is_current

    try:
        part = await _part_term(request, parameters, state)
        # Whoever types leaves the search of each key but the last: those that have not begun are dropped.
        answer, is_current = await unless_left(request, state.engines.run(work))
    except Left:
        return Response(status_code=499)  # as nginx counts them
    if is_current:
        state.answers.keep(asked, version, answer)
    return json_bytes_reply(answer)


@router.post(
    "/search",
    response_model=SearchAnswer,
    responses={**_PROBLEMS, 413: {"model": Problem, "description": "A picture that is too large"}},
    openapi_extra=FORM,
)
async def search_by_picture(
    request: Request, parameters: Parameters, state: Annotated[State, Depends(state_of)]
) -> Response:
    """Search with an uploaded picture.

    Otherwise as GET. ``picture`` in the answer is the name of the picture for later searches.
    """

    def find_encoder(engine: ServedEngine) -> Encoder:
        engine.catch_up()
        return engine.encoder

    def work(engine: ServedEngine) -> bytes:
        engine.catch_up()
        asked = parameters.model_copy(update={"picture": picture.name})
        return _search(engine, asked, state.pictures, part)

    try:
        async with state.uploads.take(request) as file:
            encoder = await state.engines.run(find_encoder)
            picture = await state.uploads.decode(
                request, file, lambda data, patience: state.pictures.take(data, encoder, patience)
            )
        part = await _part_term(request, parameters, state)
    except Left:
        return Response(status_code=499)  # as nginx counts them
    return json_bytes_reply(await state.engines.run(work))


def _search(
    engine: SearchEngine, parameters: SearchParameters, pictures: Pictures, part: PartTerm | None
) -> bytes:
    """Search, with the answer as JSON. Raises ``UserError``, and ``Refused`` for a missing picture."""
    picture = None if parameters.picture is None else _picture_term(engine, parameters.picture, pictures)
    answer = engine.answer(parameters.request(picture, part))
    liked = None
    if part is not None:
        liked = {"photo": parameters.like[0], "name": part.path.name, "box": list(part.box)}
    following = answer.next and write_cursor(parameters.list_name, answer.next.as_json())
    return as_json(
        {
            **answer.as_json(),
            "picture": parameters.picture,
            "part": liked,
            "phrases": _phrases(answer),
            "next": following,
        }
    )


def _phrases(answer: Answer) -> list[dict[str, Any]]:
    """Return the phrases that photos should show, with their words.

    There are none if pixels say nothing about them.
    """
    if answer.not_understood is not None:
        return []
    left_out = _RELATIONS | {word.lower() for word in answer.unknown_words}
    phrases = []
    for text in answer.query.phrases:
        words = [word for word in content_words(text, answer.language or ENGLISH) if word not in left_out]
        phrases.append({"text": text, "words": [] if words == [text.lower()] else words})
    return phrases


async def _part_term(request: Request, parameters: SearchParameters, state: State) -> PartTerm | None:
    """Cut out the part that is searched for.

    Raises ``Refused`` for a photo that cannot be read, ``UserError`` for a bad box, and ``Left``.
    """
    if parameters.box is None:
        return None
    photo, box = parameters.like[0], edges_of(parameters.box)

    def work(engine: ServedEngine) -> PartTerm:
        engine.catch_up()
        part = state.places.part(engine, photo, box)
        return PartTerm(part.path, box, part.vector)

    try:
        return await unless_left(request, state.locators.run(work))
    except ImageError as error:
        raise Refused(404, str(error)) from None


def _picture_term(engine: SearchEngine, name: str, pictures: Pictures) -> PictureTerm:
    """Look up an uploaded picture. Raises ``Refused``."""
    picture = pictures.get(name)
    if picture is None or engine.model is None or picture.fingerprint != engine.model.fingerprint:
        raise Refused(404, "that picture is no longer here; hand it in again")
    return PictureTerm(picture.vector)
