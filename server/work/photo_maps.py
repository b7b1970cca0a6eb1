"""A cache of maps of photos."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.map_points import photo_coordinates
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.retrieval.map_clusters import PhotoMap

_MOST = 4  # maps; one of a million photos takes 32 MB


class PhotoMaps:
    """The latest maps for one version of the catalogue, by their filters."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._version: int | None = None
        self._maps: OrderedDict[Filters, PhotoMap] = OrderedDict()

    def get(self, reader: CatalogReader, filters: Filters, version: int) -> PhotoMap:
        """Return the map of the photos that match.

        It is kept for the version of the catalogue. Requests for it wait for one another: it is read
        once. Raises ``LibraryError``.
        """
        with self._lock:
            if version != self._version:
                self._maps.clear()
                self._version = version
            if filters not in self._maps:
                self._maps[filters] = PhotoMap(photo_coordinates(reader, filters))
            self._maps.move_to_end(filters)
            if len(self._maps) > _MOST:
                self._maps.popitem(last=False)
            return self._maps[filters]
