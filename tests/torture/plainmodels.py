"""Photos of one colour, and models whose vectors of them anybody can work out."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from tests.fakes import FakeEncoder

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


class Shifted(FakeEncoder):
    """A model whose axes are others: its vectors are never those of another one by chance."""

    def __init__(self, name: str, fingerprint: str, shift: int) -> None:
        super().__init__(name, fingerprint)
        self.shift = shift

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.roll(super().encode_pixels(pixels), self.shift, axis=1)

    def encode_texts(self, texts: Sequence[str], language: str | None = None) -> NDArray[np.float32]:
        return np.roll(super().encode_texts(texts, language), self.shift, axis=1)


MODELS = {"fake-1": ("fake", 0), "fake-2": ("fake", 1), "other-1": ("other", 2)}


def encoder_of(fingerprint: str) -> FakeEncoder:
    name, shift = MODELS[fingerprint]
    return Shifted(name, fingerprint, shift)


def png(color: str) -> bytes:
    file = io.BytesIO()
    Picture.new("RGB", (8, 8), COLORS[color]).save(file, "PNG")
    return file.getvalue()


PNGS = {color: png(color) for color in COLORS}


def vector_of(content: str, model: str) -> NDArray[np.float32]:
    pixels = np.full((1, 1, 8, 8, 3), COLORS[content], dtype=np.uint8)
    return encoder_of(model).encode_views(pixels)[0]
