"""The filters of a search, over HTTP and for assistants."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from twobranch.indexer.catalog.filters import Filters, Shape
from twobranch.retrieval.filter_syntax import parse_filters


class FilterParameters(BaseModel):
    """The filters of a search."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, description="Taken then or later.", examples=["2023-06"])
    before: str | None = Field(None, description="Taken before that.", examples=["2023-09-15"])
    day: str | None = Field(None, description="Taken on this day of any year.", examples=["11-28"])
    path: list[str] = Field([], description="Files or folders of this name.", examples=[["holiday/**"]])
    not_path: list[str] = Field([], description="None of these.", examples=[["raw"]])
    camera: list[str] = Field([], description="Cameras.", examples=[["Pixel"]])
    place: list[str] = Field(
        [], description="Taken in a town, region or country.", examples=[["Paris, France"]]
    )
    near: str | None = Field(
        None, description="Taken near latitude,longitude, or a town.", examples=["48.85,2.35", "Paris"]
    )
    within: str | None = Field(None, description="How near; 10km if not given.", examples=["20km"])
    shape: Shape | None = None
    min_size: str | None = Field(None, description="At least so many pixels.", examples=["2MP", "1920x1080"])
    format: list[str] = Field([], description="Kinds of files.", examples=[["png"]])
    album: list[str] = Field([], description="In any of these albums.", examples=[["Rome"]])
    rating: str | None = Field(
        None, description="4: exactly; 4+: at least; 0: unrated.", examples=["4+", "0"]
    )
    favourite: bool | None = Field(None, description="Only favourites, or only others.")

    def filters(self) -> Filters:
        """Parse the filters. Raises ``UserError``."""
        return parse_filters(
            after=self.after,
            before=self.before,
            paths=self.path,
            not_paths=self.not_path,
            cameras=self.camera,
            places=self.place,
            near=self.near,
            within=self.within,
            shapes=[self.shape] if self.shape else [],
            min_size=self.min_size,
            formats=self.format,
            albums=self.album,
            rating=self.rating,
            favourite=self.favourite,
            day=self.day,
        )
