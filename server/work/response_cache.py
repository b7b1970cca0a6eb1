"""A cache of answers, valid until the catalogue changes."""

from __future__ import annotations

from collections import OrderedDict

MOST = 512  # answers; one of 100 hits takes 40 kB


class ResponseCache:
    """The latest answers for one version of the catalogue, by query string.

    Not thread-safe.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.n_given = 0  # answers served from the cache so far
        self._version: int | None = None
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def get(self, asked: str, version: int) -> bytes | None:
        """Return the answer cached for this version of the catalogue, or None.

        A new version clears the cache.
        """
        if version != self._version:
            self._answers.clear()
            self._version = version
        if asked in self._answers:
            self._answers.move_to_end(asked)
            self.n_given += 1
        return self._answers.get(asked)

    def keep(self, asked: str, version: int, answer: bytes) -> None:
        """Store the answer to a query at this version of the catalogue.

        ``version`` was read before the search; an answer of an older version is not stored.
        """
        if version == self._version:
            self._answers[asked] = answer
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
