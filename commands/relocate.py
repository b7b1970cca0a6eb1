"""``relocate``: change the path of folders that have moved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twobranch.commands.shared import Json, Options, command, print_json


@command
def relocate(
    context: typer.Context,
    old: Annotated[
        Path, typer.Argument(help="An indexed folder as `status` lists it, or a folder above several.")
    ],
    new: Annotated[Path, typer.Argument(help="The folder's new path.")],
    force: Annotated[
        bool, typer.Option("--force", help="Even if most photos are not found in the new place.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell the library the new place of folders that have moved.

    Nothing is encoded again. First about 200 photos are looked up in the new place by name and size; if more
    than half are missing, nothing is changed. Caption files in the folder move too.

    \b
    Examples:
      twobranch relocate /mnt/usb /media/me/PHOTOS   a drive that is mounted elsewhere
      twobranch relocate ~/Pictures ~/Photos         a folder that was renamed
    """
    from twobranch.indexer.catalog.known_libraries import remember_library
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.maintenance.relocate import relocate as run

    library = find_library(Options.of(context).library)
    relocation = run(library, old, new, force=force)
    remember_library(library)
    if as_json:
        print_json(relocation.as_json())
        return
    for root in relocation.roots:
        print(f"{root.old} is now {root.new} ({root.photos:,} photos)")
    print(f"{relocation.found:,} of {relocation.looked_for:,} photos looked for are there")
