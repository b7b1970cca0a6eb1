"""``relocate``: folders that are somewhere else now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.shared import Given, Json, command, print_json


@command
def relocate(
    old: Annotated[
        Path, typer.Argument(help="An indexed folder, or one above several, as `status` lists them.")
    ],
    new: Annotated[Path, typer.Argument(help="Where it is now.")],
    force: Annotated[
        bool, typer.Option("--force", help="Though most photos are not found in the new place.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell the library that folders are somewhere else now; nothing is encoded again.

    Some 200 photos are looked for in the new place by name and size first; when more than half are missing
    nothing is changed. Caption files that lie in the folder go along.

    \b
    Examples:
      twobranch relocate /mnt/usb /media/me/PHOTOS   a drive that is mounted elsewhere
      twobranch relocate ~/Pictures ~/Photos         a folder that was renamed
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.maintenance.relocate import relocate as run

    relocation = run(find_library(Given.library), old, new, force=force)
    if as_json:
        print_json(relocation.as_json())
        return
    for root in relocation.roots:
        print(f"{root.old} is now {root.new} ({root.photos:,} photos)")
    print(f"{relocation.found:,} of {relocation.looked_for:,} photos looked for are there")
