"""``duplicates``: files that show the same photo."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from twobranch.commands.config import SETTABLE
from twobranch.commands.shared import Json, Options, command, print_json

_SKIPPED_SHOWN = 5


@command
def duplicates(
    context: typer.Context,
    as_json: Json = False,
    paths: Annotated[
        bool,
        typer.Option("--paths", "-f", help="Print only the paths of all but the kept photos, for xargs."),
        SETTABLE,
    ] = False,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="As --paths, each path ended by NUL, for xargs -0."), SETTABLE
    ] = False,
) -> None:
    """Find near-duplicate photos and suggest which to keep.

    Near-duplicates are copies, re-encoded, resized or slightly cropped photos. Candidates have nearly the
    same vector; then both files are compared. Photos taken at different times are not duplicates. The photo
    to keep is the one with the most pixels, then the largest file, then the oldest file.

    \b
    Examples:
      twobranch duplicates
      twobranch duplicates -0 | xargs -0 -I{} mv {} spare/    all but the one to keep
    """
    from twobranch.common.progress import one_line
    from twobranch.indexer.catalog.library import find_library
    from twobranch.retrieval.display.tables import duplicates_text
    from twobranch.retrieval.duplicates.find import find_duplicates

    options = Options.of(context)
    found = find_duplicates(find_library(options.library), options.progress())
    for error in found.skipped[:_SKIPPED_SHOWN]:
        print(one_line(f"warning: skipped {error}"), file=sys.stderr)
    if len(found.skipped) > _SKIPPED_SHOWN:
        print(
            f"warning: … and {len(found.skipped) - _SKIPPED_SHOWN:,} more: --json lists them all",
            file=sys.stderr,
        )
    if as_json:
        print_json(found.as_json())
    elif paths or null:
        for photo in found.others:
            print(photo.path, end="\0" if null else "\n")
    elif found.groups:
        print(duplicates_text(found))
    else:
        print("no near-duplicates", file=sys.stderr)
