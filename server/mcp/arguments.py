"""The arguments of the tools, as an assistant sends them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from twobranch.indexer.catalog.filters import Filters, Shape
from twobranch.indexer.catalog.reader import Gallery
from twobranch.retrieval.filter_syntax import parse_filters
from twobranch.retrieval.query import MOST_CHARACTERS
from twobranch.retrieval.request import SearchRequest
from twobranch.retrieval.terms import PhotoTerm

_MOST_HITS = 50  # an assistant reads all of them
_MOST_PHRASES = 8
_PHOTO = "The path of a photo of the library, as `search` gives it, or its file name."


class Arguments(BaseModel):
    """Arguments of a tool; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class FilterArguments(Arguments):
    """The filters of a search."""

    after: str | None = Field(None, description="Taken then or later: 2023, 2023-06, 2023-06-30.")
    before: str | None = Field(None, description="Taken before that.")
    path: list[str] = Field([], description="Only files or folders of this name, as in 'holiday/**'.")
    not_path: list[str] = Field([], description="None of these files or folders.")
    camera: list[str] = Field([], description="Only these cameras, as in 'Pixel'.")
    near: str | None = Field(None, description="Taken near latitude,longitude: 48.85,2.35.")
    within: str | None = Field(None, description="How near, as in 20km; 10km if not given.")
    shape: Shape | None = None
    min_size: str | None = Field(None, description="At least so many pixels: 2MP, 1920x1080.")
    format: list[str] = Field([], description="Only these kinds of files, as in 'png'.")

    def filters(self) -> Filters:
        """Parse the filters. Raises ``UserError``."""
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


class SearchArguments(FilterArguments):
    """The arguments of ``search``."""

    query: str = Field(
        "",
        max_length=MOST_CHARACTERS,
        description="What the photos show, in plain words: 'a red car on a street'. Dates in words are read "
        "('beach summer 2019'). Empty: the newest photos that pass the filters.",
    )
    top: int = Field(10, ge=1, le=_MOST_HITS, description="The number of hits.")
    in_: Gallery = Field("images", alias="in", description="Search photos, or their captions.")
    sort: Literal["relevance", "date"] = Field(
        "relevance", description="The best first, or of those that match the newest."
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


class SimilarArguments(FilterArguments):
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
