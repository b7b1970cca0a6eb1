"""``search``: find photos or captions."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from commands.shared import Gallery, Given, Json, command, print_json


@command
def search(
    query: Annotated[list[str], typer.Argument(help="A sentence, or a path to a photo.", metavar="QUERY…")],
    top: Annotated[int, typer.Option("--top", "-k", "-t", min=1, help="How many hits.")] = 10,
    within: Annotated[Gallery, typer.Option("--in", help="What to search.")] = Gallery.images,
    min_confidence: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Leave out hits that match with a lower probability than this.", metavar="P"
        ),
    ] = 0.0,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Look at every vector, even among 200,000 photos or more."),
    ] = False,
    visual_only: Annotated[
        bool, typer.Option("--visual-only", help="Only by what photos show, not by the words beside them.")
    ] = False,
    words_only: Annotated[
        bool, typer.Option("--words-only", help="Only by names, folders, keywords and captions.")
    ] = False,
    as_json: Json = False,
    paths: Annotated[bool, typer.Option("--paths", "-f", help="Print bare paths, for xargs.")] = False,
) -> None:
    """Find photos (or captions) by words or by a photo."""
    import time

    from retrieval.engine import SearchEngine
    from retrieval.fusion import chosen_ranking
    from retrieval.query import TextQuery, parse_query
    from retrieval.tables import hit_table

    parsed = parse_query(query)
    ranking = chosen_ranking(visual_only, words_only, parsed, within.value)
    with SearchEngine.open(Given.library, exact=exact) as engine:
        for word in engine.unknown_words(parsed):
            print(f"warning: the model does not know {word!r}", file=sys.stderr)
        started = time.perf_counter()
        hits = engine.search(parsed, top, within.value, min_confidence, ranking)
        took_ms = (time.perf_counter() - started) * 1000
        if not len(engine.index(within.value)):
            option = "" if within is Gallery.images else " --captions FILE"
            print(f"nothing to search: no {within.value} indexed; run `index PATH{option}`", file=sys.stderr)
        well = engine.matches_well(parsed, hits, within.value)
    if as_json:
        print_json(
            {
                "query": parsed.text if isinstance(parsed, TextQuery) else str(parsed.path),
                "in": within.value,
                "matches_well": well,
                "hits": [hit.as_json() for hit in hits],
                "took_ms": round(took_ms, 1),
            }
        )
        return
    if well is False:  # a remark, not a result: bare paths and tables stay what they are
        print("nothing here matches well", file=sys.stderr, flush=True)
    if paths:
        for path in dict.fromkeys(hit.path for hit in hits if hit.path is not None):
            print(path)
    elif hits:
        print(hit_table(hits, captions=within is Gallery.captions))
