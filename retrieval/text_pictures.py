"""Pictures of text: receipts, pages, forms, tickets, screenshots.

To the model two pages of one layout are almost the same picture: different receipts of one shop have cosines
up to 0.997, two that differ in one digit 0.9999 (benchmarks/duplicates.md). A cosine that means the same
photo of the world means nothing here. The model itself tells such pictures: their vectors are near to those
of sentences about them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH

_SENTENCES = (
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
# The mean inner product with these sentences, from benchmarks/duplicates.md.
_TEXT = 0.25


class TextPictures:
    """The detector of pictures of text, by their vectors.

    Its sentences are encoded once, at the first use.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def find(self, vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return (n,) True for pictures of text, from (n, D) vectors."""
        return np.asarray(vectors @ self._direction >= _TEXT)

    @cached_property
    def _direction(self) -> NDArray[np.float32]:
        return self._encoder.encode_texts(_SENTENCES, ENGLISH).mean(axis=0)
