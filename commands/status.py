"""``status`` and ``models``: what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import Given, Json, command, print_json


@command
def status(
    no_scan: Annotated[
        bool,
        typer.Option("--no-scan", help="Do not look whether the folders have changed since the last index."),
        SETTABLE,
    ] = False,
    as_json: Json = False,
) -> None:
    """What is indexed, with which model, what failed and why, and whether it is up to date.

    The folders are listed and compared with the catalogue by size and time; no photo is opened.

    \b
    Examples:
      twobranch status
      twobranch status --no-scan --json
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.retrieval.display.status import library_status
    from twobranch.retrieval.display.tables import status_text

    facts = library_status(find_library(Given.library), scan=not no_scan)
    if as_json:
        print_json(facts)
        return
    print(status_text(facts))


@command
def models(as_json: Json = False) -> None:
    """The models at hand, with their quality on their own dev split.

    \b
    Example:
      twobranch models --json
    """
    from twobranch.retrieval.display.status import known_models
    from twobranch.retrieval.display.tables import models_table

    facts = known_models(Given.library)
    if as_json:
        print_json(facts)
        return
    print(models_table(facts))
