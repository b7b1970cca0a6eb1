"""``searches``: the saved searches."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twobranch.commands.shared import Json, Options, app, print_json, reporting_errors

if TYPE_CHECKING:
    from twobranch.indexer.catalog.saved_searches import SavedSearch

searches = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(searches, name="searches")
Name = Annotated[str, typer.Argument(help="The name of a saved search.", metavar="NAME")]


@searches.callback()
@reporting_errors
def list_searches(context: typer.Context, as_json: Json = False) -> None:
    """List the saved searches; rename and delete them.

    `search --save NAME` saves a search, `search --saved NAME` runs it. It finds what the library has then.
    What is listed are the parameters of the page's address.

    \b
    Examples:
      twobranch search "a dog" --after 2023 --save dogs
      twobranch searches
      twobranch search --saved dogs
    """
    if context.invoked_subcommand is not None:
        return
    from twobranch.retrieval.display.tables import table

    _, found = _all(Options.of(context))
    if as_json:
        print_json({"searches": [search.as_json() for search in found]})
    elif found:
        print(table([("name", "query"), *((search.name, search.query) for search in found)]))
    else:
        print('no saved searches yet; `search "a dog" --save dogs` saves one')


@searches.command()
@reporting_errors
def rename(
    context: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(help="The new name.", metavar="NEW")],
    as_json: Json = False,
) -> None:
    """Rename a saved search.

    \b
    Example:
      twobranch searches rename dogs "dogs since 2023"
    """
    from twobranch.indexer.catalog.collection_names import checked_name
    from twobranch.indexer.catalog.saved_searches import change_search
    from twobranch.indexer.catalog.writing import writing

    new = checked_name(new, "saved search")  # as it is kept
    library, found = _named(Options.of(context), name)
    with writing(library) as connection:
        change_search(connection, found.id, new, None)
    if as_json:
        print_json({"renamed": found.name, "name": new})
    else:
        print(f"{found.name} is {new} now")


@searches.command()
@reporting_errors
def delete(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Delete a saved search. Photos stay as they are.

    \b
    Example:
      twobranch searches delete dogs
    """
    from twobranch.indexer.catalog.saved_searches import delete_search
    from twobranch.indexer.catalog.writing import writing

    library, found = _named(Options.of(context), name)
    with writing(library) as connection:
        delete_search(connection, found.id)
    if as_json:
        print_json({"deleted": found.as_json()})
    else:
        print(f"deleted {found.name}: {found.query}")


def _all(options: Options) -> tuple[Path, list[SavedSearch]]:
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.catalog.reader import CatalogReader
    from twobranch.indexer.catalog.saved_searches import all_searches

    library = find_library(options.library)
    with closing(CatalogReader.open(library)) as reader:
        return library, all_searches(reader)


def _named(options: Options, name: str) -> tuple[Path, SavedSearch]:
    """Return the library and a saved search by its name. Raises ``UserError``."""
    from twobranch.indexer.catalog.collection_names import id_of_name

    library, found = _all(options)
    by_id = {search.id: search for search in found}
    return library, by_id[id_of_name([(one.id, one.name) for one in found], name, "saved search")]
