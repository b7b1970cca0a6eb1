"""``search``: find photos or captions."""

from __future__ import annotations

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from commands.config import SETTABLE
from commands.results import CopyTo, Csv, Html, Null, Open, Output, Paths, Thumbnails
from commands.shared import GalleryOption, Given, Json, command

if TYPE_CHECKING:
    from indexer.reader import Gallery
    from retrieval.asking import Asked
    from retrieval.query import Query


class Sort(str, Enum):
    """The order of hits."""

    relevance = "relevance"
    date = "date"


@command
def search(
    query: Annotated[
        list[str] | None,
        typer.Argument(
            help='Sentences and paths to photos, as in: "2:golden retriever" + ./pool.jpg - fruit',
            metavar="QUERY…",
        ),
    ] = None,
    plus: Annotated[list[str] | None, typer.Option(help="Also look for this.", metavar="TERM")] = None,
    minus: Annotated[list[str] | None, typer.Option(help="Get away from this.", metavar="TERM")] = None,
    like: Annotated[
        list[int] | None, typer.Option(help="More like this hit of the last search.", metavar="RANK")
    ] = None,
    unlike: Annotated[
        list[int] | None, typer.Option(help="Less like this hit of the last search.", metavar="RANK")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The last search again.")] = False,
    top: Annotated[int, typer.Option("--top", "-k", "-t", min=1, help="How many hits."), SETTABLE] = 10,
    within: Annotated[
        GalleryOption | None, typer.Option("--in", help="What to search [default: images]."), SETTABLE
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(help="Taken then or later: 2023, 2023-06, 2023-06-30.", metavar="DATE"),
        SETTABLE,
    ] = None,
    before: Annotated[str | None, typer.Option(help="Taken before that.", metavar="DATE"), SETTABLE] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(help="Only files or folders of this name, such as 'holiday/**'.", metavar="GLOB"),
        SETTABLE,
    ] = None,
    not_path: Annotated[
        list[str] | None, typer.Option(help="None of these.", metavar="GLOB"), SETTABLE
    ] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help="Only this camera, such as 'Pixel*'.", metavar="GLOB"), SETTABLE
    ] = None,
    near: Annotated[
        str | None, typer.Option(help="Taken near this place: 48.85,2.35.", metavar="LAT,LON"), SETTABLE
    ] = None,
    around: Annotated[
        str | None,
        typer.Option("--within", help="How near: 20km, 500m, 3mi [default: 10km].", metavar="DISTANCE"),
        SETTABLE,
    ] = None,
    portrait: Annotated[
        bool, typer.Option("--portrait", help="Only what is higher than wide."), SETTABLE
    ] = False,
    landscape: Annotated[
        bool, typer.Option("--landscape", help="Only what is wider than high."), SETTABLE
    ] = False,
    square: Annotated[bool, typer.Option("--square", help="Only square photos."), SETTABLE] = False,
    min_size: Annotated[
        str | None, typer.Option(help="At least so many pixels: 2MP, 1920x1080.", metavar="SIZE"), SETTABLE
    ] = None,
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="Only such files: png.", metavar="SUFFIX"), SETTABLE
    ] = None,
    sort: Annotated[
        Sort, typer.Option(help="The best first, or of those that match well the newest."), SETTABLE
    ] = Sort.relevance,
    min_confidence: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Leave out hits that match with a lower probability than this.", metavar="P"
        ),
        SETTABLE,
    ] = 0.0,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Look at every vector, even among 200,000 photos or more."),
        SETTABLE,
    ] = False,
    no_fold: Annotated[
        bool,
        typer.Option("--no-fold", help="Show every photo, also those that look almost like a better hit."),
        SETTABLE,
    ] = False,
    visual_only: Annotated[
        bool,
        typer.Option("--visual-only", help="Only by what photos show, not by the words beside them."),
        SETTABLE,
    ] = False,
    words_only: Annotated[
        bool, typer.Option("--words-only", help="Only by names, folders, keywords and captions."), SETTABLE
    ] = False,
    as_json: Json = False,
    as_csv: Csv = False,
    paths: Paths = False,
    null: Null = False,
    html: Html = None,
    copy_to: CopyTo = None,
    open_: Open = False,
    thumbnails: Thumbnails = None,
) -> None:
    """Find photos (or captions) by words, by photos, by when and where they were taken.

    Terms add up: + and - stand alone between them, 2: before one is its weight. A term is a sentence, or a
    photo: what begins with ./ or / or names an image file. File and folder names, keywords and captions are
    searched beside the pixels. With filters alone the newest photos come first.

    \b
    Examples:
      twobranch search "red car on a street"
      twobranch search ./pool.jpg + "2:golden retriever" - fruit
      twobranch search beach --after 2023-06 --before 2023-09 --camera 'Pixel*'
      twobranch search --near 48.85,2.35 --within 20km --portrait
      twobranch search "a dog" --path 'holiday/**' --sort date
      twobranch search --like 3 --unlike 1               the last search, refined
      twobranch search "two dogs run" --in captions
      twobranch search "a cat" --html cats.html --copy-to cats
      twobranch search "a cat" -0 | xargs -0 ls -l
    """
    import time
    from dataclasses import replace

    from retrieval.answer import Answer
    from retrieval.asking import put_right
    from retrieval.engine import SearchEngine
    from retrieval.filtertext import parse_filters
    from retrieval.fusion import chosen_ranking
    from retrieval.lastsearch import LastSearch
    from retrieval.query import parse_query, with_feedback

    output = Output(
        as_json=as_json,
        as_csv=as_csv,
        paths=paths,
        null=null,
        html=html,
        copy_to=copy_to,
        open_=open_,
        thumbnails=thumbnails,
    )
    wanted = (("portrait", portrait), ("landscape", landscape), ("square", square))
    shapes = {shape for shape, given in wanted if given}
    filters = parse_filters(
        after=after,
        before=before,
        paths=path,
        not_paths=not_path,
        cameras=camera,
        near=near,
        within=around,
        shapes=shapes,
        min_size=min_size,
        formats=format_,
    )
    recalled = last or bool(like or unlike)
    asked = bool(query or plus or minus)
    if not (asked or recalled or filters):
        raise typer.BadParameter("describe a photo, name one, or give a filter", param_hint="QUERY…")
    with SearchEngine.open(Given.library, exact=exact) as engine:
        parsed = parse_query(query or (), plus or (), minus or (), filters) if asked or not recalled else None
        if recalled:
            earlier = LastSearch.load(engine.library)
            within = within or GalleryOption(earlier.gallery)
            if parsed is None:
                parsed = replace(earlier.query, filters=filters or earlier.query.filters)
            parsed = with_feedback(parsed, earlier.items(like or ()), earlier.items(unlike or ()))
        assert parsed is not None
        gallery: Gallery = (within or GalleryOption.images).value
        ranking = chosen_ranking(visual_only, words_only, parsed, gallery)
        parsed = _said(put_right(parsed, engine, by_words=ranking != "visual"))
        started = time.perf_counter()
        by_date = sort is Sort.date
        hits = engine.search(
            parsed, top, gallery, min_confidence, by_date=by_date, fold=not no_fold, ranking=ranking
        )
        took_ms = (time.perf_counter() - started) * 1000
        if not len(engine.index(gallery)):
            option = "" if gallery == "images" else " --captions FILE"
            print(f"nothing to search: no {gallery} indexed; run `index PATH{option}`", file=sys.stderr)
        elif not hits and parsed.filters:
            print("no photo is let through by these filters", file=sys.stderr)
        well = engine.matches_well(parsed, hits, gallery) if hits or not parsed.filters else None
        LastSearch(parsed, gallery, tuple(hit.id for hit in hits)).save(engine.library)
        n_matching = engine.n_matching(parsed, hits, gallery)
    output.show(Answer(str(parsed), gallery, hits, well, took_ms, n_matching), Given.progress())


def _said(asked: Asked) -> Query:
    """The query as it is searched for; what was put right, or is doubtful, is said."""
    for word in asked.unknown:
        print(f"warning: the model does not know {word!r}", file=sys.stderr)
    for correction in asked.corrections:
        if correction.is_certain:
            likeliest = correction.known[0]
            kept = f"write {correction.word.capitalize()} to keep it"
            print(f"searching for {likeliest!r} instead of {correction.word!r} ({kept})", file=sys.stderr)
        else:
            print(f"{correction.word!r}: did you mean {' or '.join(correction.known)}?", file=sys.stderr)
    return asked.query
