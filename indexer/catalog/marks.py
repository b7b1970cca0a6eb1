"""Marks: ratings from 1 to 5, and favourites.

A mark belongs to the content of a photo, by its sha256, and not to its row. So copies of a photo share it,
and it survives whatever becomes of the row: a photo that moved, a folder that was forgotten and indexed
again, a drive that is away, a library that was repaired. Where the content of a file changes, a trigger gives
its marks to the new content (``indexer.catalog.migrations``). Albums hold contents for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twobranch.indexer.catalog.filters import MOST_STARS
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.writing import Transaction, now

_BLOCK = 500  # ids in a statement
# Photos that can be marked. The content of others is not known.
MARKABLE = "i.content_hash IS NOT NULL AND i.failure IS NULL"


@dataclass(frozen=True)
class Marks:
    """The marks of a photo."""

    rating: int | None = None  # 1 to 5
    favourite: bool = False


@dataclass(frozen=True)
class MarkCounts:
    """The numbers of photos by rating, and of favourites."""

    ratings: tuple[int, ...]  # 6 numbers: unrated, 1, … 5
    favourites: int


def marks_of(reader: CatalogReader, photos: Sequence[int]) -> dict[int, Marks]:
    """Return photo id -> marks, of all ids. Raises ``LibraryError``."""
    found = dict.fromkeys(photos, Marks())
    for ids in blocks(photos):
        rows = reader.rows(
            "SELECT i.id, m.rating, m.favourite FROM images i "
            f"JOIN marks m ON m.content_hash = i.content_hash WHERE i.id IN ({ids})"
        )
        found |= {id_: Marks(rating, bool(favourite)) for id_, rating, favourite in rows}
    return found


def count_marks(reader: CatalogReader) -> MarkCounts:
    """Count the readable photos by their marks. Raises ``LibraryError``."""
    rows = reader.rows(
        "SELECT COALESCE(m.rating, 0), COUNT(*), SUM(COALESCE(m.favourite, 0)) FROM images i "
        f"LEFT JOIN marks m ON m.content_hash = i.content_hash WHERE {MARKABLE} GROUP BY 1"
    )
    of_rating = {rating: n for rating, n, _ in rows}
    return MarkCounts(
        tuple(of_rating.get(rating, 0) for rating in range(MOST_STARS + 1)),
        sum(favourites for _, _, favourites in rows),
    )


def marked_photos(reader: CatalogReader) -> list[int]:
    """Return the ids of the photos with marks, or in an album. Raises ``LibraryError``."""
    rows = reader.rows(
        f"SELECT i.id FROM images i WHERE {MARKABLE} AND i.content_hash IN "
        "(SELECT content_hash FROM marks WHERE rating IS NOT NULL OR favourite "
        "UNION SELECT content_hash FROM album_photos) ORDER BY i.id"
    )
    return [id_ for (id_,) in rows]


def markable(reader: CatalogReader, photos: Sequence[int]) -> set[int]:
    """Return those photos that can be marked. Raises ``LibraryError``."""
    return {
        id_
        for ids in blocks(photos)
        for (id_,) in reader.rows(f"SELECT i.id FROM images i WHERE i.id IN ({ids}) AND {MARKABLE}")
    }


def set_marks(
    connection: Transaction,
    photos: Sequence[int],
    *,
    rating: int | None = None,
    favourite: bool | None = None,
) -> int:
    """Rate photos, make them favourites, or both.

    Returns the number of photos. A rating of 0 removes it. None leaves what is there. Photos that are not in
    the library, or could not be read, are left out. Raises ``ValueError`` for a rating that is none.
    """
    if rating is not None and not 0 <= rating <= MOST_STARS:
        raise ValueError(f"a rating of {rating}; it is from 0 to {MOST_STARS}")
    changes: dict[str, int | None] = {}
    if rating is not None:
        changes["rating"] = rating or None
    if favourite is not None:
        changes["favourite"] = favourite
    columns = {"rating": None, "favourite": False, **changes}
    updates = ", ".join(f"{name} = excluded.{name}" for name in (*changes, "changed_at"))
    n_photos = 0
    for ids in blocks(photos) if changes else ():
        connection.execute(
            "INSERT INTO marks (content_hash, rating, favourite, changed_at) "
            f"SELECT DISTINCT i.content_hash, ?, ?, ? FROM images i WHERE i.id IN ({ids}) AND {MARKABLE} "
            f"ON CONFLICT (content_hash) DO UPDATE SET {updates}",
            [columns["rating"], columns["favourite"], now()],
        )
        statement = f"SELECT COUNT(*) FROM images i WHERE i.id IN ({ids}) AND {MARKABLE}"
        n_photos += connection.execute(statement).fetchone()[0]
    return n_photos


def blocks(ids: Sequence[int]) -> Iterator[str]:
    """Yield ids, each once, as lists for SQL conditions."""
    once = list(dict.fromkeys(int(id_) for id_ in ids))
    for start in range(0, len(once), _BLOCK):
        yield ",".join(map(str, once[start : start + _BLOCK]))
