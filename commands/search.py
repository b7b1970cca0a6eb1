"""``search``: find photos or captions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from twobranch.commands.results import CopyTo, Csv, Html, Null, Open, Output, Paths, Thumbnails
from twobranch.commands.saved import find_saved, save_search
from twobranch.commands.search_options import (
    After,
    Albums,
    Before,
    Cameras,
    Day,
    Exact,
    Favourite,
    Formats,
    InGallery,
    Landscape,
    LanguageCode,
    Last,
    Like,
    MinConfidence,
    MinSize,
    Minus,
    Near,
    NoDates,
    NoFold,
    NotPathGlobs,
    PathGlobs,
    Places,
    Plus,
    Portrait,
    Rating,
    Save,
    Saved,
    Sort,
    SortBy,
    Square,
    Top,
    Unlike,
    VisualOnly,
    Within,
    Words,
    WordsOnly,
)
from twobranch.commands.shared import Json, Options, command
from twobranch.commands.where_hits import Where, find_places
from twobranch.common.errors import UserError

if TYPE_CHECKING:
    from twobranch.retrieval.answer import Answer
    from twobranch.retrieval.fusion import Ranking
    from twobranch.retrieval.query import Query


@command
def search(
    context: typer.Context,
    query: Words = None,
    plus: Plus = None,
    minus: Minus = None,
    like: Like = None,
    unlike: Unlike = None,
    last: Last = False,
    language: LanguageCode = None,
    top: Top = 10,
    gallery: InGallery = None,
    after: After = None,
    before: Before = None,
    day: Day = None,
    path: PathGlobs = None,
    not_path: NotPathGlobs = None,
    camera: Cameras = None,
    place: Places = None,
    near: Near = None,
    within: Within = None,
    portrait: Portrait = False,
    landscape: Landscape = False,
    square: Square = False,
    min_size: MinSize = None,
    format_: Formats = None,
    album: Albums = None,
    rating: Rating = None,
    favourite: Favourite = None,
    save: Save = None,
    saved: Saved = None,
    sort: SortBy = Sort.relevance,
    min_confidence: MinConfidence = 0.0,
    no_dates: NoDates = False,
    exact: Exact = False,
    no_fold: NoFold = False,
    visual_only: VisualOnly = False,
    words_only: WordsOnly = False,
    where: Where = False,
    as_json: Json = False,
    as_csv: Csv = False,
    paths: Paths = False,
    null: Null = False,
    html: Html = None,
    copy_to: CopyTo = None,
    open_: Open = False,
    thumbnails: Thumbnails = None,
) -> None:
    """Find photos (or captions) by words, photos, date and place.

    A query is a sum of terms: write + and - between them, and 2: before a term to double its weight. A term
    is a sentence or a photo; a term that begins with ./ or / or names an image file, here or in the library,
    is a photo. Besides the pixels, file and folder names, keywords and captions are searched. With filters
    alone the newest photos come first.

    \b
    Examples:
      twobranch search "red car on a street"
      twobranch search ./pool.jpg + "2:golden retriever" - fruit
      twobranch search "beach summer 2019"
      twobranch search beach --after 2023-06 --before 2023-09 --camera Pixel
      twobranch search beach --place Portugal
      twobranch search --near 48.85,2.35 --within 20km --portrait
      twobranch search "a dog" --path 'holiday/**' --sort date
      twobranch search --album Rome --rating 4+
      twobranch search "a dog" --after 2023 --save dogs  ...and later: search --saved dogs
      twobranch search --like 3 --unlike 1               the last search, refined
      twobranch search "two dogs run" --in captions
      twobranch search "a cat" --html cats.html --copy-to cats
      twobranch search "a cat" --where                   with boxes
      twobranch search "a cat" -0 | xargs -0 ls -l
    """
    from twobranch.retrieval.engine import SearchEngine
    from twobranch.retrieval.filter_syntax import parse_filters
    from twobranch.retrieval.last_search import LastSearch
    from twobranch.retrieval.request import LastSearchFeedback, SearchRequest

    output = Output(as_json, as_csv, paths, null, html, copy_to, open_, thumbnails, where)
    feedback = LastSearchFeedback(tuple(like or ()), tuple(unlike or ()))
    shapes = {"portrait": portrait, "landscape": landscape, "square": square}
    request = SearchRequest(
        words=tuple(query or ()),
        plus=tuple(plus or ()),
        minus=tuple(minus or ()),
        feedback=feedback if last or like or unlike else None,
        filters=parse_filters(
            after=after,
            before=before,
            day=day,
            paths=path,
            not_paths=not_path,
            cameras=camera,
            places=place,
            near=near,
            within=within,
            shapes={shape for shape, wanted in shapes.items() if wanted},
            min_size=min_size,
            formats=format_,
            albums=album,
            rating=rating,
            favourite=favourite,
        ),
        gallery=gallery.value if gallery else None,
        top=top,
        min_confidence=min_confidence,
        sort=sort.value,
        collapse=not no_fold,
        ranking=_ranking(visual_only, words_only),
        language=language,
        dates=not no_dates,
    )
    options = Options.of(context)
    if saved is not None:
        request = find_saved(options, saved, request)
    if not (request.is_typed or request.feedback or request.filters or saved):
        raise typer.BadParameter("describe a photo, name one, or give a filter", param_hint="QUERY…")
    with SearchEngine.open(options.library, exact=exact) as engine:
        answer = engine.answer(request)
        if words_only and not answer.is_of_words:
            raise UserError("--words-only finds photos by a sentence; leave it out here")
        places = find_places(engine, answer, options.progress()) if where else {}
        ids = [hit.id for hit in answer.hits]
        LastSearch.of(answer.typed, answer.gallery, ids, engine.catalog, engine.model).save(engine.library)
        if save is not None:
            save_search(engine.library, save, answer.typed, _parameters(context), options.progress())
    _print_remarks(answer)
    output.show(answer, options.progress(), places)


def _parameters(context: typer.Context) -> dict[str, Any]:
    """Return the options of a search as parameters of an address."""
    given = context.params
    shapes = [shape for shape in ("portrait", "landscape", "square") if given[shape]]
    # As typed: the context has texts where the function gets members of an enumeration.
    gallery, sort = given["gallery"] or "images", given["sort"]
    ranking = _ranking(given["visual_only"], given["words_only"])
    return {
        **{
            name: given[name]
            for name in ("after", "before", "day", "path", "not_path", "camera", "place", "near", "within")
        },
        "shape": shapes,
        "min_size": given["min_size"],
        "format": given["format_"],
        "album": given["album"],
        "rating": given["rating"],
        "favourite": None if given["favourite"] is None else str(given["favourite"]).lower(),
        "in": gallery if gallery != "images" else None,
        "sort": sort if sort != Sort.relevance.value else None,
        "min_confidence": given["min_confidence"],
        "ranking": ranking if ranking != "fused" else None,
        "fold": "false" if given["no_fold"] else None,
        "dates": "false" if given["no_dates"] else None,
        "language": given["language"],
    }


def _ranking(visual_only: bool, words_only: bool) -> Ranking:
    """Return the ranking that the options choose. Raises ``UserError`` if they contradict each other."""
    if visual_only and words_only:
        raise UserError("--visual-only and --words-only leave nothing to search by; use one of them")
    return "visual" if visual_only else "words" if words_only else "fused"


def _print_named_photos(query: Query) -> None:
    """Print the photos that names in the query stand for.

    They go to stderr.
    """
    from twobranch.retrieval.photo_names import listed
    from twobranch.retrieval.terms import PhotoTerm

    for term in query.terms:
        if isinstance(term, PhotoTerm) and term.item is not None:
            also = f"; of the same name: {listed(term.namesakes)}" if term.namesakes else ""
            print(f"searching with the library's {term.path}{also}", file=sys.stderr)


def _print_remarks(answer: Answer) -> None:
    """Print remarks on the query and on empty results to stderr."""
    _print_named_photos(answer.query)
    if answer.not_understood is not None:
        print(answer.not_understood, file=sys.stderr)
    if answer.dates is not None and answer.dates.used:
        print(f"dates: {answer.dates}; --no-dates searches for the words", file=sys.stderr)
    elif answer.dates is not None:
        print(f"no photo is of these dates ({answer.dates}); searching for the words", file=sys.stderr)
    for word in answer.unknown_words:
        print(f"warning: the model does not know {word!r}", file=sys.stderr)
    for correction in answer.corrections:
        if correction.is_certain:
            likeliest = correction.known[0]
            kept = f"write {correction.word.capitalize()} to keep it"
            print(f"searching for {likeliest!r} instead of {correction.word!r} ({kept})", file=sys.stderr)
        else:
            print(f"{correction.word!r}: did you mean {' or '.join(correction.known)}?", file=sys.stderr)
    if not answer.n_gallery:
        option = "" if answer.gallery == "images" else " --captions FILE"
        print(f"nothing to search: no {answer.gallery} indexed; run `index PATH{option}`", file=sys.stderr)
    elif answer.filters_exclude_all:
        print("no photo is let through by these filters", file=sys.stderr)
