"""Search requests, and their resolution to a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.reader import CatalogReader, Gallery, LibraryModel
from twobranch.retrieval.fusion import Ranking
from twobranch.retrieval.last_search import LastSearch
from twobranch.retrieval.paging import PageStart
from twobranch.retrieval.photo_names import NamedPhotos
from twobranch.retrieval.query import Query, parse_query, with_feedback
from twobranch.retrieval.terms import Item, PartTerm, PhotoTerm, PictureTerm

HitOrder = Literal["relevance", "date", "folder", "size"]  # of sorting.Sort, all but the first


class PhotoNotFoundError(UserError):
    """Raised for a rated photo that cannot be searched with.

    A liked or disliked photo is not in the library, or has no vector.
    """


@dataclass(frozen=True)
class LastSearchFeedback:
    """Likes and dislikes among the hits of the last search.

    That search is repeated, closer to the liked hits and further from the disliked ones. Its query, filters
    and gallery are used where the request has none.
    """

    liked: tuple[int, ...] = ()  # ranks, from 1
    disliked: tuple[int, ...] = ()


@dataclass(frozen=True)
class PhotoFeedback:
    """Likes and dislikes among the photos of the library.

    The search moves towards the liked photos and away from the disliked ones.
    """

    liked: tuple[int, ...] = ()  # ids of photos
    disliked: tuple[int, ...] = ()


@dataclass(frozen=True)
class SearchRequest:
    """One search.

    Without terms and feedback it finds the newest photos.
    """

    words: tuple[str, ...] = ()  # as typed: see parse_query
    plus: tuple[str, ...] = ()  # further terms, one text each
    minus: tuple[str, ...] = ()  # terms to get away from
    files: bool = True  # words may name photos on disk
    picture: PictureTerm | None = None  # one more term
    part: PartTerm | None = None  # one more term
    photo: PhotoTerm | None = None  # one more term
    feedback: LastSearchFeedback | PhotoFeedback | None = None
    filters: Filters = Filters()  # noqa: RUF009 (frozen)
    gallery: Gallery | None = None  # None: that of the last search with its feedback, else images
    top: int = 10
    min_confidence: float = 0.0
    sort: HitOrder = "relevance"
    start: PageStart | None = None  # where the page begins; None: with the best hit
    collapse: bool = True  # near-duplicates count as one hit
    ranking: Ranking = "fused"  # of a sentence about photos; other queries are ranked by pixels alone
    correct: bool = True  # replace certainly mistyped words
    dates: bool = True  # words for dates, such as "june 2020", are a filter
    language: str | None = None  # code of the language of the words; None: told from them

    @property
    def is_typed(self) -> bool:
        """True if anything was typed."""
        return bool(self.words or self.plus or self.minus)


def resolve(
    request: SearchRequest, library: Path, catalog: CatalogReader, model: LibraryModel | None
) -> tuple[Query, Gallery]:
    """Resolve a request to its query and gallery in a library.

    Raises ``UserError`` for words that cannot be parsed, for a last search or one of its hits that does not
    exist, and for hits of another catalogue or model. Raises ``PhotoNotFoundError`` for a rated photo that is
    not in the library.
    """
    gallery, feedback = request.gallery, request.feedback
    if request.is_typed:
        named = NamedPhotos(catalog, model) if model is not None else None
        query = parse_query(
            request.words, request.plus, request.minus, request.filters, files=request.files, library=named
        )
    else:
        query = Query(filters=request.filters)
    shown = tuple(term for term in (request.picture, request.part, request.photo) if term is not None)
    query = replace(query, terms=(*query.terms, *shown))
    if isinstance(feedback, LastSearchFeedback):
        last = LastSearch.load(library)
        gallery = gallery or last.gallery
        if not request.is_typed:
            query = replace(last.query, filters=request.filters or last.query.filters)
        if feedback.liked or feedback.disliked or (last.query.items and not request.is_typed):
            last.check_ids(catalog, model)
        query = with_feedback(query, last.items(feedback.liked), last.items(feedback.disliked))
    elif feedback is not None and model is not None:
        liked = _photo_items(feedback.liked, catalog, model)
        query = with_feedback(query, liked, _photo_items(feedback.disliked, catalog, model))
    if request.language is not None:
        query = replace(query, language=request.language)
    return query, gallery or "images"


def _photo_items(photos: Sequence[int], catalog: CatalogReader, model: LibraryModel) -> list[Item]:
    """Look up the items of photos. Raises ``PhotoNotFoundError``."""
    vectors = catalog.vectors_of_images(photos, model.id)
    for photo in photos:
        if photo not in vectors:
            raise PhotoNotFoundError(f"there is no photo {photo} that can be searched for; search anew")
    return [Item("images", vectors[photo]) for photo in photos]
