"""``vacuum``: free disk space."""

from __future__ import annotations

import typer

from twobranch.commands.shared import Json, Options, command, print_json


@command
def vacuum(context: typer.Context, as_json: Json = False) -> None:
    """Free the disk space of photos removed from the library.

    The catalogue is compacted, which takes up to twice its size on disk while it runs. Index files of models
    that the library no longer uses are deleted. No photo, caption or vector is lost.

    \b
    Examples:
      twobranch vacuum
      twobranch forget ~/Pictures/receipts && twobranch vacuum
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.maintenance.vacuum import vacuum as run
    from twobranch.retrieval.display.tables import vacuum_text

    library = find_library(Options.of(context).library)
    freed = run(library)
    if as_json:
        print_json(
            {
                "library": str(library),
                "freed": freed.bytes,
                "before": freed.before,
                "after": freed.after,
                "removed": list(freed.removed),
            }
        )
        return
    print(vacuum_text(freed))
