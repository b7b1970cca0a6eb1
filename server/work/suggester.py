"""Suggestions of a running server.

The names of the library are kept until it changes.
"""

from __future__ import annotations

from threading import Lock
from time import monotonic

from twobranch.indexer.catalog.known_names import KnownNames, known_names
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.retrieval.suggest import Known, Suggestion, names_text, suggest

# Reading the names of 100,000 photos takes a third of a second, and `index` commits every second or two. This
# is the largest share of the time that it may take; names that are some seconds old do no harm.
_SHARE = 0.02


class Suggester:
    """Makes suggestions from names that are read once a version.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._version: int | None = None
        self._names = KnownNames()
        self._text = ""
        self._not_before = 0.0  # by the monotonic clock

    def suggest(self, reader: CatalogReader, version: int, text: str, limit: int) -> list[Suggestion]:
        """Return suggestions for what is typed.

        ``version`` is that of the catalogue, of the reader that the server watches it with. Raises
        ``LibraryError``.
        """
        with self._lock:
            if version != self._version and monotonic() >= self._not_before:
                self._read(reader, version)
            known = Known(self._names, self._text, reader)
        return suggest(text, limit, known)

    def _read(self, reader: CatalogReader, version: int) -> None:
        started = monotonic()
        self._names = known_names(reader)
        self._text = names_text(self._names)
        self._version = version
        ended = monotonic()
        self._not_before = ended + (ended - started) / _SHARE
