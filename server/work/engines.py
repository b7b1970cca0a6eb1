"""Engines that live as long as the server, while others write to the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from twobranch.indexer.catalog.connection import open_database
from twobranch.indexer.catalog.reader import LibraryModel
from twobranch.retrieval.engine import SearchEngine
from twobranch.server.work.caching_reader import RememberingReader

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder

# An index over 100,000 photos takes a third of a second to bring up to date, and `index` commits every second
# or two: searches would do little else. So this share of the time, at most, is spent on it.
_SHARE = 0.05


class ServedEngine(SearchEngine):
    """An engine that catches up with the library from time to time. It belongs to one thread."""

    def __init__(self, library: Path, load: Callable[[LibraryModel], Encoder]) -> None:
        """Raises ``LibraryError``."""
        self._reader = RememberingReader(open_database(library))
        super().__init__(library, self._reader, load)
        self._not_before = 0.0  # by the monotonic clock

    def catch_up(self) -> bool:
        """Whether the engine knows all that is committed, once it has looked, if it is time to.

        Raises ``LibraryError``.
        """
        self._reader.look()
        if self.is_current:
            return True
        started = monotonic()
        if started < self._not_before:
            return False
        self.refresh()
        ended = monotonic()
        self._not_before = ended + (ended - started) / _SHARE
        return True
