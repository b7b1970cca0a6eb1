"""``forget``: take photos out of a library without touching the files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.shared import Given, Json, command, print_json


@command
def forget(
    paths: Annotated[list[Path], typer.Argument(help="Folders or photos that are indexed.", metavar="PATH…")],
    as_json: Json = False,
) -> None:
    """Take folders or photos out of the library; the files stay where they are.

    Their rows and vectors go, captions stay. What is forgotten inside an indexed folder stays away from
    later runs of `index` over that folder, until it is named itself: `index PATH` takes it back. The space on
    disk is given back by `vacuum`.

    \b
    Examples:
      twobranch forget ~/Pictures/receipts     this subfolder only
      twobranch forget ~/Pictures/2019/a.jpg   one photo
      twobranch forget /mnt/old-drive          all folders on it, though it is away
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.maintenance.relocate import forget as run

    forgotten = run(find_library(Given.library), paths)
    if as_json:
        rows = [{"path": str(one.path), "photos": one.photos} for one in forgotten]
        print_json({"forgotten": rows, "photos": sum(one.photos for one in forgotten)})
        return
    for one in forgotten:
        how = "" if one.roots else f"; `index {one.path}` takes it back"
        print(f"forgot {one.photos:,} {'photo' if one.photos == 1 else 'photos'} of {one.path}{how}")
