"""Options of ``search``: its terms, filters, order and ranking."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import GalleryOption


class Sort(str, Enum):
    """The order of hits."""

    relevance = "relevance"
    date = "date"
    folder = "folder"
    size = "size"


Words = Annotated[
    list[str] | None,
    typer.Argument(
        help='Sentences and paths to photos, as in: "2:golden retriever" + ./pool.jpg - fruit',
        metavar="QUERY…",
    ),
]
Plus = Annotated[list[str] | None, typer.Option(help="Also look for this.", metavar="TERM")]
Minus = Annotated[list[str] | None, typer.Option(help="Less like this.", metavar="TERM")]
Like = Annotated[
    list[int] | None, typer.Option(help="More like this hit of the last search.", metavar="RANK")
]
Unlike = Annotated[
    list[int] | None, typer.Option(help="Less like this hit of the last search.", metavar="RANK")
]
Last = Annotated[bool, typer.Option("--last", help="Repeat the last search.")]
LanguageCode = Annotated[
    str | None,
    typer.Option(help="The language of the words, such as de [default: told from them].", metavar="CODE"),
    SETTABLE,
]
Top = Annotated[int, typer.Option("--top", "-k", "-t", min=1, help="The number of hits."), SETTABLE]
InGallery = Annotated[
    GalleryOption | None, typer.Option("--in", help="Search images or captions [default: images]."), SETTABLE
]
After = Annotated[
    str | None,
    typer.Option(help="Only photos taken on this date or later: 2023, 2023-06, 2023-06-30.", metavar="DATE"),
    SETTABLE,
]
Before = Annotated[
    str | None, typer.Option(help="Only photos taken before this date.", metavar="DATE"), SETTABLE
]
PathGlobs = Annotated[
    list[str] | None,
    typer.Option(help="Only files or folders of this name, such as 'holiday/**'.", metavar="GLOB"),
    SETTABLE,
]
NotPathGlobs = Annotated[
    list[str] | None,
    typer.Option(help="Leave out files or folders of this name.", metavar="GLOB"),
    SETTABLE,
]
Cameras = Annotated[
    list[str] | None, typer.Option(help="Only this camera, such as Pixel.", metavar="GLOB"), SETTABLE
]
Places = Annotated[
    list[str] | None,
    typer.Option(help="Only photos taken in this town, region or country: 'Paris, France'.", metavar="NAME"),
    SETTABLE,
]
Near = Annotated[
    str | None,
    typer.Option(help="Only photos taken near this place: 48.85,2.35, or a town.", metavar="PLACE"),
    SETTABLE,
]
Within = Annotated[
    str | None,
    typer.Option(
        "--within", help="Distance from that place: 20km, 500m, 3mi [default: 10km].", metavar="DISTANCE"
    ),
    SETTABLE,
]
Portrait = Annotated[bool, typer.Option("--portrait", help="Only photos higher than wide."), SETTABLE]
Landscape = Annotated[bool, typer.Option("--landscape", help="Only photos wider than high."), SETTABLE]
Square = Annotated[bool, typer.Option("--square", help="Only square photos."), SETTABLE]
MinSize = Annotated[
    str | None, typer.Option(help="The least number of pixels: 2MP, 1920x1080.", metavar="SIZE"), SETTABLE
]
Formats = Annotated[
    list[str] | None,
    typer.Option("--format", help="Only files of this format: png.", metavar="SUFFIX"),
    SETTABLE,
]
Albums = Annotated[
    list[str] | None, typer.Option("--album", help="Only photos of this album.", metavar="NAME"), SETTABLE
]
Rating = Annotated[
    str | None,
    typer.Option("--rating", help="Only photos with 4 stars: 4; at least 4: 4+; unrated: 0.", metavar="N"),
    SETTABLE,
]
Favourite = Annotated[
    bool | None,
    typer.Option("--favourite/--no-favourite", help="Only favourites, or only others.", show_default=False),
    SETTABLE,
]
Save = Annotated[
    str | None, typer.Option("--save", help="Also save this search under a name.", metavar="NAME")
]
Saved = Annotated[
    str | None, typer.Option("--saved", help="Run a saved search; see `searches`.", metavar="NAME")
]
SortBy = Annotated[
    Sort,
    typer.Option(help="The best first, or those that match well by date, folder or size."),
    SETTABLE,
]
MinConfidence = Annotated[
    float,
    typer.Option(min=0, max=1, help="Leave out hits with a lower probability of matching.", metavar="P"),
    SETTABLE,
]
NoDates = Annotated[
    bool,
    typer.Option("--no-dates", help="Search for words such as 'june 2020' instead of filtering by them."),
    SETTABLE,
]
Exact = Annotated[
    bool,
    typer.Option("--exact", help="Compare every vector, even among 200,000 photos or more."),
    SETTABLE,
]
NoFold = Annotated[
    bool,
    typer.Option("--no-fold", help="Also show photos that look almost like a better hit."),
    SETTABLE,
]
VisualOnly = Annotated[
    bool,
    typer.Option("--visual-only", help="Search the pixels only, not names, keywords and captions."),
    SETTABLE,
]
WordsOnly = Annotated[
    bool, typer.Option("--words-only", help="Search names, keywords and captions only."), SETTABLE
]
