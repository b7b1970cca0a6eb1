"""Pages of hits in another order than the best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.reader import CatalogReader, Gallery, LibraryModel
from twobranch.indexer.catalog.sorting import SORTINGS, Mark, Sort, listed_vectors, sort_values
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.made_hits import plain_hit
from twobranch.retrieval.paging import Page, PageStart


def listed_page(
    catalog: CatalogReader,
    model: LibraryModel,
    gallery: Gallery,
    filters: Filters,
    top: int,
    sort: Sort,
    start: PageStart | None,
) -> Page:
    """Return a page of the photos or captions that pass filters.

    Raises ``LibraryError``, and ``UserError`` for a start in another order.
    """
    ids = listed_vectors(catalog, gallery, model.id, filters, top + 1, sort, _mark(start, sort))
    shown = ids[:top]
    found = catalog.found(gallery, shown)
    there = [id_ for id_ in shown if id_ in found]
    hits = [plain_hit(rank, None, id_, found[id_]) for rank, id_ in enumerate(there, start=_rank(start))]
    if len(ids) <= top:
        return Page(hits)
    ((last, value),) = sort_values(catalog, gallery, shown[-1:], sort).items()
    return Page(hits, Mark(value, last))


def sorted_page(
    catalog: CatalogReader,
    hits: Sequence[Hit],
    gallery: Gallery,
    top: int,
    sort: Sort,
    start: PageStart | None,
) -> Page:
    """Return a page of hits in an order, with new ranks.

    Hits without a photo come last. Raises as ``listed_page``.
    """
    sorting = SORTINGS[sort]
    values = sort_values(catalog, gallery, [hit.id for hit in hits], sort)
    there = [hit for hit in hits if hit.id in values]
    there.sort(key=lambda hit: sorting.key(values[hit.id]), reverse=sorting.newest_first)
    ordered = [*there, *(hit for hit in hits if hit.id not in values)]
    first = 0
    if (after := _mark(start, sort)) is not None:
        # Where the hit itself has gone, the page begins after those that are not later.
        places = {hit.id: place for place, hit in enumerate(ordered, start=1)}
        earlier = [hit for hit in there if not sorting.is_later(values[hit.id], after.value)]
        first = places.get(after.id, len(earlier))
    page = [
        replace(hit, rank=rank) for rank, hit in enumerate(ordered[first : first + top], start=_rank(start))
    ]
    if first + top >= len(ordered):
        return Page(page)
    return Page(page, Mark(values.get(page[-1].id, ""), page[-1].id))


def _mark(start: PageStart | None, sort: Sort) -> Mark | None:
    """Return the mark of a page. Raises ``UserError`` if it is of another order."""
    if start is None:
        return None
    if not isinstance(start.place, Mark) or not SORTINGS[sort].is_value(start.place.value):
        raise UserError(f"this page is not one of the order by {sort}; search anew")
    return start.place


def _rank(start: PageStart | None) -> int:
    return 1 if start is None else start.rank
