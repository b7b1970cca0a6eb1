"""``album``: named lists of photos."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twobranch.commands.rate import Photos
from twobranch.commands.shared import Json, Options, app, print_json, reporting_errors

if TYPE_CHECKING:
    from twobranch.indexer.catalog.albums import Album

album = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(album, name="album")
Name = Annotated[str, typer.Argument(help="The name of an album.", metavar="NAME")]


@album.callback()
@reporting_errors
def list_albums(context: typer.Context, as_json: Json = False) -> None:
    """List the albums; fill, rename and delete them.

    An album is a list of photos in the library. It keeps a photo that moves, is edited, or is forgotten and
    indexed again. `search --album NAME` searches in it. No photo file is changed.

    \b
    Examples:
      twobranch album add Rome ~/Pictures/rome
      twobranch album
      twobranch search "a fountain" --album Rome
    """
    if context.invoked_subcommand is not None:
        return
    from twobranch.indexer.catalog.albums import all_albums
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.catalog.reader import CatalogReader
    from twobranch.retrieval.display.tables import table

    with closing(CatalogReader.open(find_library(Options.of(context).library))) as reader:
        albums = all_albums(reader)
    if as_json:
        print_json({"albums": [one.as_json() for one in albums]})
    elif albums:
        print(table([("photos", "name"), *((f"{one.photos:,}", one.name) for one in albums)]))
    else:
        print("no albums yet; `album add NAME PHOTO…` makes one")


@album.command()
@reporting_errors
def show(
    context: typer.Context,
    name: Name,
    null: Annotated[bool, typer.Option("--null", "-0", help="End each path by NUL, for xargs -0.")] = False,
    as_json: Json = False,
) -> None:
    """Print the paths of an album's photos, in its order.

    \b
    Example:
      twobranch album show Rome
    """
    from twobranch.indexer.catalog.albums import album_photos
    from twobranch.indexer.catalog.reader import CatalogReader

    library, found = _named(Options.of(context), name)
    with closing(CatalogReader.open(library)) as reader:
        paths = [path for _, path in album_photos(reader, found.id)]
    if as_json:
        print_json({**found.as_json(), "paths": [str(path) for path in paths]})
        return
    for path in paths:
        print(path, end="\0" if null else "\n")


@album.command()
@reporting_errors
def add(context: typer.Context, name: Name, photos: Photos, as_json: Json = False) -> None:
    """Add photos to the end of an album. A new name makes a new album.

    \b
    Examples:
      twobranch album add Rome ~/Pictures/rome
      twobranch album add Rome 1 3                   hits 1 and 3 of the last search
      twobranch search "a cat" -0 | xargs -0 twobranch album add Cats
    """
    from twobranch.commands.chosen import find_photos
    from twobranch.indexer.catalog.albums import add_to_album, album_by_id, album_names, create_album
    from twobranch.indexer.catalog.collection_names import find_name
    from twobranch.indexer.catalog.reader import CatalogReader
    from twobranch.indexer.catalog.writing import writing
    from twobranch.retrieval.display.tables import counted

    library, chosen = find_photos(Options.of(context), photos)
    with closing(CatalogReader.open(library)) as reader:
        known = find_name(album_names(reader), name)
        with writing(library) as connection:
            id_ = create_album(connection, name) if known is None else known
            n_added = add_to_album(connection, id_, list(chosen))
        found = album_by_id(reader, id_)
    assert found is not None
    if as_json:
        print_json({**found.as_json(), "added": n_added, "is_new": known is None})
        return
    more = f", {len(chosen) - n_added:,} were in it" if n_added < len(chosen) else ""
    new = " new album" if known is None else ""
    print(f"added {counted(n_added, 'photo')} to the{new} {found.name}{more}")


@album.command()
@reporting_errors
def remove(context: typer.Context, name: Name, photos: Photos, as_json: Json = False) -> None:
    """Remove photos from an album. They stay in the library.

    \b
    Example:
      twobranch album remove Rome sunset.jpg
    """
    from twobranch.commands.chosen import find_photos
    from twobranch.indexer.catalog.albums import remove_from_album
    from twobranch.indexer.catalog.writing import writing
    from twobranch.retrieval.display.tables import counted

    options = Options.of(context)
    _, before = _named(options, name)
    library, chosen = find_photos(options, photos)
    with writing(library) as connection:
        n_removed = remove_from_album(connection, before.id, list(chosen))
    _, found = _named(options, before.name)
    if as_json:
        print_json({**found.as_json(), "removed": n_removed})
    else:
        print(f"removed {counted(n_removed, 'photo')} from {found.name}")


@album.command()
@reporting_errors
def rename(
    context: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(help="The new name.", metavar="NEW")],
    as_json: Json = False,
) -> None:
    """Rename an album.

    \b
    Example:
      twobranch album rename Rome "Rome 2024"
    """
    from twobranch.indexer.catalog.albums import rename_album
    from twobranch.indexer.catalog.collection_names import checked_name
    from twobranch.indexer.catalog.writing import writing

    new = checked_name(new, "album")  # as it is kept
    library, found = _named(Options.of(context), name)
    with writing(library) as connection:
        rename_album(connection, found.id, new)
    if as_json:
        print_json({"renamed": found.name, "name": new})
    else:
        print(f"{found.name} is {new} now")


@album.command()
@reporting_errors
def delete(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Delete an album. Its photos stay in the library.

    \b
    Example:
      twobranch album delete Rome
    """
    from twobranch.indexer.catalog.albums import delete_album
    from twobranch.indexer.catalog.writing import writing

    library, found = _named(Options.of(context), name)
    with writing(library) as connection:
        delete_album(connection, found.id)
    if as_json:
        print_json({"deleted": found.as_json()})
    else:
        print(f"deleted the album {found.name}; its photos stay in the library")


def _named(options: Options, name: str) -> tuple[Path, Album]:
    """Return the library and an album by its name. Raises ``UserError``."""
    from twobranch.indexer.catalog.albums import album_by_id, album_names
    from twobranch.indexer.catalog.collection_names import id_of_name
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.catalog.reader import CatalogReader

    library = find_library(options.library)
    with closing(CatalogReader.open(library)) as reader:
        found = album_by_id(reader, id_of_name(album_names(reader), name, "album"))
    assert found is not None
    return library, found
