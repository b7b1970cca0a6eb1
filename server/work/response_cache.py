"""Answers that were given already: they hold until somebody commits to the catalogue."""

from __future__ import annotations

from collections import OrderedDict

_MOST = 512  # answers; one of 100 hits takes 40 kB


class Answers:
    """The latest answers by what was asked, for one version of the catalogue. Not for several threads."""

    def __init__(self) -> None:
        self.n_given = 0  # answers from memory, so far
        self._version: int | None = None
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def get(self, asked: str, version: int) -> bytes | None:
        """The answer, if it was given for this version of the catalogue."""
        if version != self._version:
            self._answers.clear()
            self._version = version
        if asked in self._answers:
            self._answers.move_to_end(asked)
            self.n_given += 1
        return self._answers.get(asked)

    def keep(self, asked: str, version: int, answer: bytes) -> None:
        """Keep an answer that was sought when the catalogue had this version."""
        if version == self._version:
            self._answers[asked] = answer
            while len(self._answers) > _MOST:
                self._answers.popitem(last=False)
