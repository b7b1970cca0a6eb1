"""Search engines of a running server, refreshed when the library changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from twobranch.indexer.catalog.connection import open_database
from twobranch.indexer.catalog.reader import LibraryModel
from twobranch.retrieval.engine import SearchEngine
from twobranch.server.work.caching_reader import CachingReader

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder

# Refreshing an index of 100,000 photos takes a third of a second, and `index` commits every second or two, so
# refreshing would take much of the time. This is the largest share of the time that it may take.
_SHARE = 0.05


class ServedEngine(SearchEngine):
    """A search engine that follows changes of the library. It belongs to one thread."""

    def __init__(self, library: Path, load: Callable[[LibraryModel], Encoder]) -> None:
        """Open the library. Raises ``LibraryError``."""
        self._reader = CachingReader(open_database(library))
        super().__init__(library, self._reader, load)
        self._not_before = 0.0  # by the monotonic clock

    def catch_up(self) -> bool:
        """Refresh the engine when due; return True if current.

        False: the library has changed, and the next refresh is not due yet. Raises ``LibraryError``.
        """
        self._reader.clear_if_changed()
        if self.is_current:
            return True
        started = monotonic()
        if started < self._not_before:
            return False
        self.refresh()
        ended = monotonic()
        self._not_before = ended + (ended - started) / _SHARE
        return True
