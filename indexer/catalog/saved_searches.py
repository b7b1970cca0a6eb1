"""Saved searches: the parameters of a search under a name.

They hold no photos: each time a saved search is run it finds what the library has then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.collection_names import check_free, checked_name
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.writing import Transaction, now

MOST_QUERY = 16_000  # characters; the longest query, escaped, with its filters


@dataclass(frozen=True)
class SavedSearch:
    """A search under a name."""

    id: int
    name: str
    query: str  # parameters of an address, such as "q=dog&after=2023"
    created_at: str  # UTC, such as "2024-05-01 10:00:00"

    def as_json(self) -> dict[str, Any]:
        """Return the search as JSON data."""
        return {
            "id": self.id,
            "name": self.name,
            "query": self.query,
            "created_at": f"{self.created_at[:19].replace(' ', 'T')}Z",
        }


def all_searches(reader: CatalogReader) -> list[SavedSearch]:
    """Return the saved searches, the newest first. Raises ``LibraryError``."""
    rows = reader.rows("SELECT id, name, query, created_at FROM saved_searches ORDER BY id DESC")
    return [SavedSearch(*row) for row in rows]


def search_by_id(reader: CatalogReader, search: int) -> SavedSearch | None:
    """Return a saved search by its id, or None. Raises ``LibraryError``."""
    return next((one for one in all_searches(reader) if one.id == search), None)


def save_search(connection: Transaction, name: str, query: str) -> int:
    """Save a search, and return its id. Raises ``UserError``."""
    whole = checked_name(name, "search")
    check_free(connection, "saved_searches", whole)
    cursor = connection.execute(
        "INSERT INTO saved_searches (name, query, created_at) VALUES (?, ?, ?)",
        [whole, _checked_query(query), now()],
    )
    return int(cursor.lastrowid or 0)


def change_search(connection: Transaction, search: int, name: str | None, query: str | None) -> bool:
    """Rename a saved search, or change what it looks for. None leaves what is there.

    Returns False where there is none; raises ``UserError``.
    """
    if name is not None:
        name = checked_name(name, "search")
        check_free(connection, "saved_searches", name, own=search)
    changed = connection.execute(
        "UPDATE saved_searches SET name = COALESCE(?, name), query = COALESCE(?, query) WHERE id = ?",
        [name, None if query is None else _checked_query(query), search],
    )
    return changed.rowcount > 0


def delete_search(connection: Transaction, search: int) -> bool:
    """Delete a saved search. Returns False where there is none."""
    return connection.execute("DELETE FROM saved_searches WHERE id = ?", [search]).rowcount > 0


def _checked_query(query: str) -> str:
    """Return the parameters without a question mark. Raises ``UserError``."""
    bare = query.strip().removeprefix("?")
    if not bare or len(bare) > MOST_QUERY or not bare.isprintable():
        raise UserError("a saved search has the parameters of a search, such as q=dog&after=2023")
    return bare
