"""``favourite``: mark photos as favourites."""

from __future__ import annotations

from typing import Annotated

import typer

from twobranch.commands.rate import Photos
from twobranch.commands.shared import Json, Options, command, print_json


@command
def favourite(
    context: typer.Context,
    photos: Photos,
    remove: Annotated[bool, typer.Option("--remove", help="They are favourites no longer.")] = False,
    as_json: Json = False,
) -> None:
    """Make photos favourites.

    It is kept in the library as a rating is. `search --favourite` finds favourites.

    \b
    Examples:
      twobranch favourite 1 3                hits 1 and 3 of the last search
      twobranch favourite --remove sunset.jpg
    """
    from twobranch.commands.chosen import mark_photos
    from twobranch.retrieval.photo_names import listed

    paths = mark_photos(Options.of(context), photos, favourite=not remove)
    if as_json:
        print_json({"favourite": not remove, "photos": [str(path) for path in paths]})
        return
    print(f"{'no favourite any more' if remove else 'favourite'}: {listed(paths)}")
