"""``search --save`` and ``search --saved``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from twobranch.commands.shared import Options
from twobranch.common.progress import Progress

if TYPE_CHECKING:
    from twobranch.retrieval.query import Query
    from twobranch.retrieval.request import SearchRequest


def save_search(library: Path, name: str, query: Query, options: dict[str, Any], progress: Progress) -> None:
    """Save a search under a name. Raises ``UserError``."""
    from twobranch.indexer.catalog import saved_searches
    from twobranch.indexer.catalog.writing import writing
    from twobranch.retrieval.saved_search import saved_query

    text = saved_query(query, options)
    with writing(library) as connection:
        saved_searches.save_search(connection, name, text)
    progress.note(f"saved; `search --saved {name!r}` runs it again")


def find_saved(options: Options, name: str, given: SearchRequest) -> SearchRequest:
    """Return the request of a saved search.

    It has the number of hits of ``given``. Raises ``UserError``, and ``typer.BadParameter`` if another query
    was given too.
    """
    from twobranch.indexer.catalog.collection_names import id_of_name
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.catalog.reader import CatalogReader
    from twobranch.indexer.catalog.saved_searches import all_searches
    from twobranch.retrieval.saved_search import saved_request

    if given.is_typed or given.feedback or given.filters:
        raise typer.BadParameter(
            "is a whole search; leave the query and the filters out", param_hint="--saved"
        )
    with closing(CatalogReader.open(find_library(options.library))) as reader:
        searches = {search.id: search for search in all_searches(reader)}
    names = [(search.id, search.name) for search in searches.values()]
    found = searches[id_of_name(names, name, "saved search")]
    return saved_request(found.query, given.top)
