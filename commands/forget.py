"""``forget``: remove photos from a library, but keep their files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.shared import Json, Options, command, print_json


@command
def forget(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Folders or photos that are indexed.", metavar="PATH…")],
    as_json: Json = False,
) -> None:
    """Remove folders or photos from the library, but keep the files.

    Their rows and vectors are removed; captions stay. A path forgotten inside an indexed folder is skipped by
    later runs of `index` over that folder, until `index PATH` names it again. `vacuum` frees the disk space.

    \b
    Examples:
      twobranch forget ~/Pictures/receipts     this subfolder only
      twobranch forget ~/Pictures/2019/a.jpg   one photo
      twobranch forget /mnt/old-drive          all folders on it, though it is away
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.maintenance.relocate import forget as run

    forgotten = run(find_library(Options.of(context).library), paths)
    if as_json:
        rows = [{"path": str(one.path), "photos": one.photos} for one in forgotten]
        print_json({"forgotten": rows, "photos": sum(one.photos for one in forgotten)})
        return
    for one in forgotten:
        how = "" if one.roots else f"; `index {one.path}` takes it back"
        print(f"forgot {one.photos:,} {'photo' if one.photos == 1 else 'photos'} of {one.path}{how}")
