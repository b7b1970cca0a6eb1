"""``eval``: Recall@K of a library's photos and captions."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import Json, Options, command, print_json
from twobranch.common.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twobranch.common.progress import Progress
    from twobranch.indexer.catalog.tables import Catalog

MOST_K = 1_000_000

Recall = Annotated[str, typer.Option(help="The K of Recall@K, comma-separated."), SETTABLE]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="A model that the library has vectors of; several are compared on the same photos and captions "
        "[default: the library's own].",
        metavar="MODEL",
    ),
]
Split = Annotated[str | None, typer.Option(help="Only the pairs of this split."), SETTABLE]
History = Annotated[bool, typer.Option("--history", help="Show earlier evaluations instead.")]
Plot = Annotated[Path | None, typer.Option(help="Draw recall against K into this PNG.", metavar="FILE")]
Fused = Annotated[
    bool,
    typer.Option(
        "--fused", help="Also measure recall of sentences with and without the words beside photos."
    ),
    SETTABLE,
]


def _ks(text: str) -> list[int]:
    """Parse a list such as ``1,5,10``. Raises ``typer.BadParameter``."""
    try:
        ks = sorted({int(part) for part in text.split(",")})
    except ValueError:
        ks = []
    if not ks or ks[0] < 1 or ks[-1] > MOST_K:
        raise typer.BadParameter(f"{text!r} is not a list of numbers from 1 to {MOST_K:,}, such as 1,5,10")
    return ks


@command
def eval_(
    context: typer.Context,
    recall: Recall = "1,5,10",
    split: Split = None,
    model: Models = None,
    history: History = False,
    plot: Plot = None,
    fused: Fused = False,
    as_json: Json = False,
) -> None:
    """Measure Recall@K in both directions over photos and captions.

    Only indexed photos with captions take part; other photos do not compete. The result is stored in the
    library. Recall is a hit rate in percent, with intervals of 95%; ties count against the model. Several
    models are compared with the first one, on what all of them have encoded; `status` lists those with
    vectors.

    \b
    Examples:
      twobranch eval --recall 1,5,10
      twobranch eval --split dev --plot recall.png
      twobranch eval --split dev --fused                 what the words beside photos do for it
      twobranch eval --model default --model my-model    two models side by side, and their difference
      twobranch eval --history                           earlier evaluations side by side
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.catalog.tables import Catalog

    ks = _ks(recall)
    options = Options.of(context)
    catalog = Catalog.open(find_library(options.library))
    if history:
        _print_history(catalog, as_json=as_json)
        return
    names = model or []
    facts = _evaluate(catalog, names, ks, split, plot, options.progress())
    if fused:
        from twobranch.retrieval.evaluation.fused import compare_fused

        of_models = compare_fused(catalog, names, ks=ks, split=split, progress=options.progress())
        for result, comparison in zip(facts.get("models", [facts]), of_models, strict=True):
            result["fused"] = comparison
    _print_evaluation(facts, ks, as_json=as_json)


def _evaluate(
    catalog: Catalog,
    names: Sequence[str],
    ks: list[int],
    split: str | None,
    plot: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Evaluate, store and maybe plot the results; return them as JSON data.

    They are those of one model, or with several names those of ``comparison_json``.
    """
    from twobranch.retrieval.evaluation.evaluate import evaluate_models

    arguments = shlex.join(["cli.py", *sys.argv[1:]])
    results = evaluate_models(catalog, names, ks=ks, split=split, command=arguments, progress=progress)
    if plot is not None:
        from twobranch.retrieval.evaluation.plots import draw_recall

        try:
            draw_recall(results, plot)
        except (OSError, ValueError) as error:
            raise UserError(f"{plot}: cannot be written ({error}); the evaluation itself is stored") from None
    if not all(result.agrees for result in results):
        print(
            "note: searching the index differs from exact search; recall is that of the index",
            file=sys.stderr,
        )
    if len(results) == 1:
        return results[0].as_json()
    from twobranch.retrieval.evaluation.comparison import comparison_json

    return comparison_json(results, ks)


def _print_history(catalog: Catalog, *, as_json: bool) -> None:
    from twobranch.retrieval.display.tables import history_table
    from twobranch.retrieval.evaluation import evaluate

    rows = [evaluate.history_json(row) for row in evaluate.history(catalog)]
    if as_json:
        print_json(rows)
    elif rows:
        print(history_table(rows))
    else:
        print("no evaluation yet; run `eval`", file=sys.stderr)


def _print_evaluation(facts: dict[str, Any], ks: list[int], *, as_json: bool) -> None:
    from twobranch.retrieval.display.tables import comparison_table, evaluation_table, fused_table

    if as_json:
        print_json(facts)
        return
    if "models" in facts:
        print(comparison_table(facts, ks))
    else:
        print(evaluation_table(facts, ks))
    for result in facts.get("models", [facts]):
        if "fused" in result:
            print(fused_table(result["fused"], ks, model=result["model"] if "models" in facts else ""))
