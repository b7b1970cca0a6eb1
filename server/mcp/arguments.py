"""The arguments of the tools, as an assistant sends them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from twobranch.indexer.catalog.reader import Gallery
from twobranch.retrieval.query import MOST_CHARACTERS
from twobranch.retrieval.request import HitOrder, SearchRequest
from twobranch.retrieval.terms import PhotoTerm
from twobranch.server.filter_parameters import FilterParameters

_MOST_HITS = 50  # an assistant reads all of them
_MOST_PHRASES = 8
_PHOTO = "The path of a photo of the library, as `search` gives it, or its file name."


class Arguments(BaseModel):
    """Arguments of a tool; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class SearchArguments(FilterParameters, Arguments):
    """The arguments of ``search``."""

    query: str = Field(
        "",
        max_length=MOST_CHARACTERS,
        description="What the photos show, in plain words: 'a red car on a street'. Dates in words are read "
        "('beach summer 2019'). Empty: the newest photos that pass the filters.",
    )
    top: int = Field(10, ge=1, le=_MOST_HITS, description="The number of hits.")
    in_: Gallery = Field("images", alias="in", description="Search photos, or their captions.")
    sort: HitOrder = Field(
        "relevance", description="The best first, or those that match by date, folder or size."
    )

    def request(self) -> SearchRequest:
        """Return the request for the engine. Raises ``UserError``."""
        return SearchRequest(
            words=(self.query,) if self.query.strip() else (),
            files=False,
            filters=self.filters(),
            gallery=self.in_,
            top=self.top,
            sort=self.sort,
        )


class SimilarArguments(FilterParameters, Arguments):
    """The arguments of ``similar``."""

    photo: str = Field(description=_PHOTO)
    top: int = Field(10, ge=1, le=_MOST_HITS, description="The number of hits.")

    def request(self, photo: PhotoTerm) -> SearchRequest:
        """Return the request for photos like this one. Raises ``UserError``."""
        return SearchRequest(photo=photo, filters=self.filters(), top=self.top)


class WhereArguments(Arguments):
    """The arguments of ``where``."""

    photo: str = Field(description=_PHOTO)
    phrases: list[str] = Field(
        min_length=1, max_length=_MOST_PHRASES, description="What to look for: ['a dog', 'a red ball']."
    )
    language: str | None = Field(None, description="Of the phrases, as in 'de'; told from them if not given.")


class StatusArguments(Arguments):
    """The arguments of ``status``."""

    scan: bool = Field(
        False, description="Also compare the folders with the library, which may take a while."
    )


class PhotoArguments(Arguments):
    """The arguments of ``photo``."""

    photo: str = Field(description=_PHOTO)
    side: int = Field(512, ge=64, le=1024, description="Pixels of the picture's longer side, at most.")
