"""Counts of the photos that match filters, by album, rating and favourite.

As in ``indexer.catalog.facets``, each kind is counted under all filters but its own. The statements begin at
the marks, so they cost nothing in a library without any: 0.1 s for 50,000 marked photos of 100,000.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.reader import CatalogReader

_PHOTOS = (
    "CROSS JOIN images i ON i.content_hash = {}.content_hash JOIN roots r ON r.id = i.root_id "
    "WHERE EXISTS (SELECT 1 FROM image_vectors v WHERE v.image_id = i.id AND v.model_id = ?)"
)


@dataclass(frozen=True)
class MarkFacets:
    """The numbers of photos by album and rating, and of favourites."""

    albums: dict[str, int]  # by name; those without such photos are left out
    ratings: dict[int, int]  # 5, 4, … 1
    favourites: int


def count_by_marks(reader: CatalogReader, model_id: int, filters: Filters) -> MarkFacets:
    """Count the photos that match filters, by their marks.

    They are those with a vector of the model. Raises ``LibraryError``.
    """
    of_photos = _PHOTOS.format("m")
    condition, values = replace(filters, albums=()).condition()
    albums = reader.rows(
        f"SELECT b.name, COUNT(*) FROM albums b CROSS JOIN album_photos m ON m.album_id = b.id {of_photos} "
        f"AND {condition} GROUP BY b.id ORDER BY 2 DESC, 1",
        [model_id, *values],
    )
    condition, values = replace(filters, ratings=None).condition()
    ratings = reader.rows(
        f"SELECT m.rating, COUNT(*) FROM marks m {of_photos} AND m.rating > 0 AND {condition} "
        "GROUP BY 1 ORDER BY 1 DESC",
        [model_id, *values],
    )
    condition, values = replace(filters, favourite=None).condition()
    ((favourites,),) = reader.rows(
        f"SELECT COUNT(*) FROM marks m {of_photos} AND m.favourite AND {condition}", [model_id, *values]
    )
    return MarkFacets(dict(albums), dict(ratings), favourites)
