"""``rate``: give photos stars."""

from __future__ import annotations

from typing import Annotated

import typer

from twobranch.commands.shared import Json, Options, command, print_json

Photos = Annotated[
    list[str],
    typer.Argument(help="Photos, folders, or numbers of hits of the last search.", metavar="PHOTO…"),
]


@command
def rate(
    context: typer.Context,
    stars: Annotated[
        int, typer.Argument(help="From 1 to 5; 0 removes the rating.", metavar="N", min=0, max=5)
    ],
    photos: Photos,
    as_json: Json = False,
) -> None:
    """Rate photos with 1 to 5 stars.

    A rating is kept in the library, and the photo's file stays as it is. Copies of a photo share it. It stays
    when the photo moves, is edited, or is forgotten and indexed again. `search --rating 4+` finds photos by
    it, `xmp export` writes it for other programs.

    \b
    Examples:
      twobranch rate 5 ~/Pictures/rome/sunset.jpg
      twobranch rate 4 1 3                           hits 1 and 3 of the last search
      twobranch search "a cat" -0 | xargs -0 twobranch rate 3
      twobranch rate 0 sunset.jpg                    no rating any more
    """
    from twobranch.commands.chosen import mark_photos
    from twobranch.retrieval.display.tables import counted
    from twobranch.retrieval.photo_names import listed

    options = Options.of(context)
    paths = mark_photos(options, photos, rating=stars)
    if as_json:
        print_json({"rating": stars or None, "photos": [str(path) for path in paths]})
        return
    print(f"{counted(stars, 'star') if stars else 'no rating any more'}: {listed(paths)}")
