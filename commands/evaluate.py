"""``eval``: Recall@K of a library."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import Given, Json, command, print_json
from twobranch.common.errors import UserError

MOST_K = 1_000_000


def _ks(text: str) -> list[int]:
    """``1,5,10`` as numbers."""
    try:
        ks = sorted({int(part) for part in text.split(",")})
    except ValueError:
        ks = []
    if not ks or ks[0] < 1 or ks[-1] > MOST_K:
        raise typer.BadParameter(f"{text!r} is not a list of numbers from 1 to {MOST_K:,}, such as 1,5,10")
    return ks


@command
def eval_(
    recall: Annotated[str, typer.Option(help="The K of Recall@K, comma-separated."), SETTABLE] = "1,5,10",
    split: Annotated[str | None, typer.Option(help="Only the pairs of this split."), SETTABLE] = None,
    history: Annotated[bool, typer.Option("--history", help="Show earlier evaluations instead.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw recall against K into this PNG.", metavar="FILE")
    ] = None,
    fused: Annotated[
        bool,
        typer.Option(
            "--fused", help="Also the recall of sentences with and without the words beside photos."
        ),
        SETTABLE,
    ] = False,
    as_json: Json = False,
) -> None:
    """Recall@K both ways over the indexed photos and their captions; kept in the library.

    Recall is a hit rate in percent, with intervals of 95%; ties count against the model. The gallery is what
    has captions: other photos do not compete.

    \b
    Examples:
      twobranch eval --recall 1,5,10
      twobranch eval --split dev --plot recall.png
      twobranch eval --split dev --fused                 what the words beside photos do for it
      twobranch eval --history                           earlier evaluations side by side
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.catalog.tables import Catalog
    from twobranch.retrieval.display.tables import evaluation_table, fused_table, history_table
    from twobranch.retrieval.evaluation import evaluate

    ks = _ks(recall)
    catalog = Catalog.open(find_library(Given.library))
    if history:
        rows = [evaluate.history_json(row) for row in evaluate.history(catalog)]
        if as_json:
            print_json(rows)
        elif rows:
            print(history_table(rows))
        else:
            print("no evaluation yet; run `eval`", file=sys.stderr)
        return
    arguments = shlex.join(["cli.py", *sys.argv[1:]])
    result = evaluate.evaluate(catalog, ks=ks, split=split, command=arguments, progress=Given.progress())
    if plot is not None:
        from twobranch.retrieval.evaluation.plots import draw_recall

        try:
            draw_recall(result, plot)
        except (OSError, ValueError) as error:
            raise UserError(f"{plot}: cannot be written ({error}); the evaluation itself is stored") from None
    if not result.agrees:
        print(
            "note: searching the index differs from exact search; recall is that of the index",
            file=sys.stderr,
        )
    facts = result.as_json()
    if fused:
        from twobranch.retrieval.evaluation.fused import compare_fused

        facts["fused"] = compare_fused(catalog, ks=ks, split=split, progress=Given.progress())
    if as_json:
        print_json(facts)
        return
    print(evaluation_table(facts, ks))
    if fused:
        print(fused_table(facts["fused"], ks))
