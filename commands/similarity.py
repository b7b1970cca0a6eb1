"""``similarity``: photos and sentences side by side, without an index."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from twobranch.commands.shared import Json, Options, command, print_json


@command
def similarity(
    context: typer.Context,
    arguments: Annotated[
        list[str], typer.Argument(help="Photos, folders and sentences in any mix.", metavar="PATH_OR_TEXT…")
    ],
    model: Annotated[str, typer.Option(help="Name of a model (see `models`), or its folder.")] = "default",
    as_json: Json = False,
) -> None:
    """Print the cosine of every photo with every sentence.

    No index is needed.

    \b
    Examples:
      twobranch similarity cat.jpg "a cat" "a dog"
      twobranch similarity ./photos "a red car" --json
    """
    from twobranch.common.progress import one_line
    from twobranch.embedding.encoder import Encoder
    from twobranch.retrieval.display.tables import table
    from twobranch.retrieval.similarity import similarity as compare
    from twobranch.retrieval.similarity import sort_arguments

    photos, sentences = sort_arguments(arguments)
    result = compare(Encoder.load(model), photos, sentences, Options.of(context).progress())
    for failure in result.failed:
        print(one_line(f"failed: {failure}"), file=sys.stderr)
    if as_json:
        print_json(result.as_json())
        return
    for column, sentence in enumerate(result.sentences):
        print(f"{sentence}:")
        scores = result.scores[:, column]
        print(table([f"{scores[i]:.3f}", result.images[i]] for i in (-scores).argsort(kind="stable")))
