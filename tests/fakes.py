"""An encoder whose answers can be computed by eye, and the photos to ask it about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from twobranch.common.errors import ModelError
from twobranch.embedding.cell_scale import CellScale
from twobranch.embedding.encoder import each_view, mean_over_views
from twobranch.embedding.model_folder import Variant
from twobranch.embedding.preparation import Framing
from twobranch.embedding.preprocess import TTA, WHOLE, load_photo, load_views

# Red, green and blue have an axis each; the fourth is for everything else.
WORDS = {"red": 0, "green": 1, "blue": 2}
ELSE = 3


class FakeEncoder:
    """Photos are their mean colour, texts the sum of their colour words; both as unit vectors in 4-D.

    With ``tta`` it sees only the left edge of each view: of red beside green it sees red, and in the mirrored
    view green, so the mean is half of each. A photo of one colour has the same vector either way.

    A pure red photo is (1, 0, 0, 0.01) but for its length: it scores about 1 with "red", 0.71 with "red
    green", 0 with "blue" and 0.01 with a text without colours. ``interrupt_after`` photos or texts, the
    next batch raises ``KeyboardInterrupt``, as Ctrl-C would.
    """

    dim = 4
    image_size = 8
    framing = Framing()

    def __init__(
        self,
        name: str = "fake",
        fingerprint: str = "fake-1",
        interrupt_after: int | None = None,
        tta: bool = False,
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint + "+mirrored-centre-0.85" * tta
        self.tta = tta
        self.variant = Variant(tta)
        self.views = TTA if tta else WHOLE
        self.folder = Path("/models") / name
        self.interrupt_after = interrupt_after
        self._counting = Lock()
        self.encoded_images = 0
        self.encoded_texts = 0
        self.encoded_windows = 0

    def encode_images(self, images: Sequence[Path | str | Image.Image]) -> NDArray[np.float32]:
        pixels = [load_views(image, self.image_size, self.views).pixels for image in images]
        return self.encode_views(np.array(pixels, dtype=np.uint8).reshape(-1, len(self.views), 8, 8, 3))

    def prepare(self) -> None:
        """There is nothing to load."""

    def check(self) -> None:
        """Nor anything that could not fit together."""

    def encode_views(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert pixels.shape[1:] == (len(self.views), 8, 8, 3)
        with self._counting:  # several threads encode
            self._check_interrupt()
            self.encoded_images += len(pixels)
        return mean_over_views(self.encode_pixels, pixels[:, :, :, :1] if self.tta else pixels)

    def encode_each_view(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._counting:
            self._check_interrupt()
            self.encoded_windows += pixels.shape[0] * pixels.shape[1]
        return each_view(self.encode_pixels, pixels)

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        colors = pixels.reshape(len(pixels), -1, 3).mean(axis=1) / 255
        return _unit(np.hstack([colors, np.full((len(pixels), 1), 0.01)]))

    has_cells = True
    cell_scale = CellScale(middle=0.8, slope=40)  # 0.5 at 0.8; 0.98 at 0.9 and 0.02 at 0.7

    def check_cells(self) -> None:
        if not self.has_cells:
            raise ModelError(
                f"{self.name}: this model gives no cells, so it cannot tell where in a photo; use"
            )

    def encode_cells(self, images: Sequence[Path | str | bytes | Image.Image]) -> NDArray[np.float32]:
        return self.encode_cell_pixels(np.stack([load_photo(one, self.image_size).pixels for one in images]))

    def mean_cells(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.encode_cell_pixels(pixels)

    def encode_cell_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A grid of 4 x 4 cells, each the mean colour of 2 x 2 pixels."""
        cells = pixels.reshape(-1, 4, 2, 4, 2, 3).mean(axis=(2, 4)).reshape(-1, 3) / 255
        return _unit(np.hstack([cells, np.full((len(cells), 1), 0.01)])).reshape(-1, 4, 4, 4)

    languages = ()
    reads_only_english = True
    reads_any_language = False

    def encode_query(self, text: str, language: str | None = None) -> NDArray[np.float32]:
        return self.encode_texts([text], language)[0]

    def language_of(self, text: str) -> str:
        return "en"

    def encode_texts(self, texts: Sequence[str], language: str | None = None) -> NDArray[np.float32]:
        self._check_interrupt()
        self.encoded_texts += len(texts)
        vectors = np.zeros((len(texts), 4))
        for row, text in enumerate(texts):
            axes = {WORDS[word] for word in text.lower().split() if word in WORDS}
            vectors[row, list(axes) or [ELSE]] = 1
        return _unit(vectors)

    def unknown_words(self, text: str, language: str | None = None) -> list[str]:
        return [word for word in text.lower().split() if word not in WORDS]

    def knows(self, text: str, language: str | None = None) -> bool:
        return len(self.unknown_words(text)) < len(text.split())

    def _check_interrupt(self) -> None:
        done = self.encoded_images + self.encoded_texts
        if self.interrupt_after is not None and done >= self.interrupt_after:
            raise KeyboardInterrupt


GERMAN = {"rot": "red", "grün": "green", "blau": "blue"}


class Bilingual(FakeEncoder):
    """Also knows three German words, when it is told to read German."""

    languages = ("de",)
    reads_only_english = False

    def language_of(self, text: str) -> str:
        return "de" if GERMAN.keys() & set(text.split()) else "en"

    def encode_texts(self, texts: Sequence[str], language: str | None = None) -> NDArray[np.float32]:
        return super().encode_texts([self._english(text, language) for text in texts])

    def unknown_words(self, text: str, language: str | None = None) -> list[str]:
        return super().unknown_words(self._english(text, language))

    def _english(self, text: str, language: str | None) -> str:
        german = (language or self.language_of(text)) == "de"
        return " ".join(GERMAN.get(word, word) if german else word for word in text.split())


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def write_photo(
    path: Path, color: str | tuple[int, int, int], size: tuple[int, int] = (8, 8), **save_kwargs: Any
) -> Path:
    """A photo of one colour, in the format of its suffix; its folder is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **save_kwargs)
    return path


def write_photos(folder: Path, colors: dict[str, str | tuple[int, int, int]]) -> None:
    """Photos of one colour each, by relative path."""
    for name, color in colors.items():
        write_photo(folder / name, color)


class RecordedProgress:
    """Progress that remembers what it was shown."""

    def __init__(self) -> None:
        self.work: list[tuple[str, int | None]] = []
        self.done: list[int] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.running = False

    def start(self, label: str, total: int | None) -> None:
        assert not self.running
        self.running = True
        self.work.append((label, total))
        self.done.append(0)

    def advance(self, n: int = 1) -> None:
        assert self.running
        self.done[-1] += n

    def finish(self) -> None:
        assert self.running
        self.running = False

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def deny_listing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Makes a folder unlistable, also for root, who may list everything."""
    real = os.scandir

    def scandir(path: object) -> object:
        if Path(str(path)) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", scandir)
