"""``status``: the state of a library."""

from __future__ import annotations

from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import Json, Options, command, print_json


@command
def status(
    context: typer.Context,
    no_scan: Annotated[
        bool,
        typer.Option("--no-scan", help="Do not check the folders for changes since the last index."),
        SETTABLE,
    ] = False,
    as_json: Json = False,
) -> None:
    """Show indexed folders, model, failures and pending changes.

    The folders are listed and compared with the catalogue by size and time; no photo is opened.

    \b
    Examples:
      twobranch status
      twobranch status --no-scan --json
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.retrieval.display.status import library_status
    from twobranch.retrieval.display.tables import status_text

    facts = library_status(find_library(Options.of(context).library), scan=not no_scan)
    if as_json:
        print_json(facts)
        return
    print(status_text(facts))
