"""A catalogue reader that keeps orders of photos.

Until the catalogue changes, a page of photos costs no more than its look-ups.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twobranch.indexer.catalog.connection import open_database
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.sorting import Sort
from twobranch.indexer.catalog.timeline import Order, photo_order

_MOST = 8  # orders; one of 100,000 photos takes 1.2 MB


class BrowsingReader(CatalogReader):
    """A catalogue reader that keeps orders of photos. It belongs to one thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._of_version = -1
        self._orders: OrderedDict[tuple[Filters, Sort, bool], Order] = OrderedDict()

    @classmethod
    def open(cls, folder: Path) -> BrowsingReader:
        """Open the catalogue of a library folder. Raises ``LibraryError``."""
        return cls(open_database(folder))

    @contextmanager
    def order(self, filters: Filters, sort: Sort, descending: bool) -> Iterator[Order]:
        """Give the order of the photos.

        The reader sees no later catalogue within the block. Raises ``LibraryError``.
        """
        with self.snapshot():
            version = self.version()
            if version != self._of_version:
                self._orders.clear()
                self._of_version = version
            asked = filters, sort, descending
            if asked not in self._orders:
                self._orders[asked] = photo_order(self, filters, sort, descending)
            self._orders.move_to_end(asked)
            if len(self._orders) > _MOST:
                self._orders.popitem(last=False)
            yield self._orders[asked]
