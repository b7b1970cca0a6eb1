"""Pictures of text: receipts, pages, forms, tickets, screenshots.

To the model two pages of one layout are almost the same picture: different receipts of one shop have cosines
up to 0.998, one with a changed price up to 0.9998 (benchmarks/duplicates.md). A cosine that means the same
photo of the world means nothing here. The model itself tells such pictures: their vectors are near to those
of sentences about them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.atomic import replacing
from twobranch.common.errors import LibraryError, ModelError
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH
from twobranch.indexer.vectors.codec import DTYPE, as_bytes
from twobranch.retrieval.background import ScoreScales

SENTENCES = (
    "a receipt",
    "a document",
    "a page of text",
    "a screenshot",
    "a form",
    "a ticket",
    "a business card",
    "a spreadsheet",
    "a slide with text",
)
# The mean inner product with these sentences, in scores of the shipped model, from benchmarks/duplicates.md.
TEXT = 0.25
_FILE = "text-pictures.cache"  # in the library folder: a checksum, and the mean vector
_CHECKSUM = 32  # bytes


class TextPictures:
    """The detector of pictures of text, by their vectors.

    Its sentences are encoded at the first use. Their mean is kept in the library folder: a search for a photo
    loads no text tower, and would wait for it. ``scales`` returns those of the model's scores.
    """

    def __init__(
        self,
        load: Callable[[], Encoder],
        fingerprint: str,
        library: Path,
        scales: Callable[[], ScoreScales] = ScoreScales,
    ) -> None:
        self._load = load  # returns the encoder; it is needed once
        self._fingerprint = fingerprint
        self._file = library / _FILE
        self._scales = scales

    def find(self, vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return (n,) True for pictures of text, from (n, D) vectors.

        Without the model none is known to be one.
        """
        try:
            return np.asarray(vectors @ self._direction >= self._scales().text_score(TEXT))
        except (LibraryError, ModelError):
            return np.zeros(len(vectors), dtype=bool)

    @cached_property
    def _direction(self) -> NDArray[np.float32]:
        with suppress(OSError):
            stored = self._file.read_bytes()
            checksum, vector = stored[:_CHECKSUM], stored[_CHECKSUM:]
            if checksum == self._checksum(vector):
                return np.frombuffer(vector, DTYPE)
        direction = self._load().encode_texts(SENTENCES, ENGLISH).mean(axis=0)
        vector = as_bytes(direction)
        with suppress(OSError), replacing(self._file, durable=False) as partial:
            partial.write_bytes(self._checksum(vector) + vector)
        return direction

    def _checksum(self, vector: bytes) -> bytes:
        """Return the checksum of a stored vector.

        It covers the model and the sentences, too.
        """
        key = "\n".join((self._fingerprint, *SENTENCES)).encode()
        return sha256(key + vector).digest()
