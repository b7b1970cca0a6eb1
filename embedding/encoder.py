"""A trained model folder as an encoder of photos and sentences.

It maps both to unit vectors with ONNX Runtime, without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twobranch.common.cpu import usable_cores
from twobranch.common.errors import ModelError
from twobranch.embedding.cell_scale import CellScale
from twobranch.embedding.language import ENGLISH, language_of
from twobranch.embedding.model_folder import (
    CONFIG,
    IMAGE_TOWER,
    IMAGE_TOWER_INT8,
    TEXT_TOWER,
    TEXT_TOWER_LANGUAGES,
    TOKENIZER,
    TOKENIZER_LANGUAGES,
    ModelConfig,
    Variant,
    check_files,
    fingerprint,
    model_name,
    read_config,
    resolve_model,
)
from twobranch.embedding.preparation import Framing, Tokens
from twobranch.embedding.preprocess import TTA, WHOLE, View, framed, load_photo, load_views
from twobranch.embedding.sif import well_formed
from twobranch.embedding.text_inputs import TextInput, TokensInput, WordsInput
from twobranch.embedding.tower import PROVIDERS, Device, Input, Tower

T = TypeVar("T")

SHORT = 3  # words of a query that templates are put around
TEXT_BATCH = 16  # on one core; larger batches take longer per sentence and need more padding
# The batch of photos on a GPU. A CPU core encodes one photo at a time: the output of a layer stays in the
# core's cache. With one photo on each core, encoding is a tenth faster than with all cores on one batch of
# 16, and takes a fifth of the memory (benchmarks/scale.md).
_GPU_BATCH = 32


class Encoder:
    """Encodes photos and sentences with the two towers of one model. Each tower is loaded on first use."""

    def __init__(
        self,
        folder: Path,
        config: ModelConfig,
        *,
        variant: Variant = Variant(),  # noqa: B008 (frozen)
        device: Device = "cpu",
    ) -> None:
        self.folder = folder
        self.config = config
        self.variant = variant
        self.device = device
        self.framing = Framing.of(config.framing)
        self.views: tuple[View, ...] = framed(TTA if variant.tta else WHOLE, self.framing)
        self.name = model_name(folder)
        self.dim = config.dim
        self.image_size = config.image_size
        self.languages = tuple(config.languages)  # that a second text tower was trained on, beside English
        self._towers: dict[str, Tower] = {}
        self._text_inputs: dict[bool, TextInput] = {}  # by whether it is for English
        self._loading = Lock()

    @classmethod
    def load(
        cls,
        name_or_dir: str | Path = "default",
        *,
        verify: bool = False,
        tta: bool = False,
        int8: bool = False,
        device: Device = "cpu",
    ) -> Encoder:
        """Load a shipped model or a folder that ``train`` wrote.

        ``verify`` compares every file with its checksum first. With ``tta`` (test-time augmentation) a
        photo's embedding is the mean over several views of it; with ``int8`` it is computed in 8 bits.
        ``device`` is the device that encodes photos. Raises ``ModelError``.
        """
        if device == "cuda":
            _check_cuda()
        folder = resolve_model(name_or_dir)
        config = read_config(folder)
        if verify:
            check_files(folder, config)
        if int8 and IMAGE_TOWER_INT8 not in config.files:
            advice = "make it with `python -m twobranch.train.output.quantise`, or go without --int8"
            if config.source:  # `models add` has tried
                advice = "its vectors would differ too much; go without --int8"
            raise ModelError(f"{folder}: this model has no int8 tower; {advice}")
        return cls(folder, config, variant=Variant(tta, int8), device=device)

    @cached_property
    def fingerprint(self) -> str:
        """The model's identity: vectors of two fingerprints are never compared."""
        return fingerprint(self.folder, self.variant)

    def encode_images(self, images: Sequence[Path | str | Image.Image]) -> NDArray[np.float32]:
        """(N, D) float32, unit rows; read and encoded by all cores. Raises ``ImageError`` for the first photo
        that cannot be read, and ``TypeError`` for a single photo that is not in a list."""
        _check_list("images", images, (str, bytes, PathLike, Image.Image), "photos")

        def encode(start: int) -> NDArray[np.float32]:
            some = images[start : start + self._at_a_time]
            views = [load_views(image, self.image_size, self.views).pixels for image in some]
            return self.encode_views(np.stack(views))

        return self._in_parallel(encode, len(images))

    @property
    def has_cells(self) -> bool:
        """True if the model gives the cells of photos."""
        return bool(self.config.cells)

    @property
    def cell_scale(self) -> CellScale:
        """The meaning of the scores of cells. Raises ``ModelError`` for a model without cells."""
        self.check_cells()
        return CellScale.of(self.config.cells["scale"])

    def encode_cells(self, images: Sequence[Path | str | bytes | Image.Image]) -> NDArray[np.float32]:
        """Encode the cells of the grid of each photo.

        Returns (N, h, w, D) float32, unit vectors in the space of sentences, row by row from the top left. A
        cell covers S / h by S / w pixels of the square photo. An item may also be a file's bytes. The 8-bit
        tower and further views are not used. Raises ``ModelError`` for a model without cells, and as
        ``encode_images`` does.
        """
        _check_list("images", images, (str, bytes, PathLike, Image.Image), "photos")
        self.check_cells()

        def encode(start: int) -> NDArray[np.float32]:
            some = images[start : start + self._at_a_time]
            pixels = [load_photo(one, self.image_size, framing=self.framing).pixels for one in some]
            return self.encode_cell_pixels(np.stack(pixels))

        return self._in_parallel(encode, len(images))

    def encode_cell_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode the cells of square pixels on the calling thread.

        Maps (N, S, S, 3) uint8 RGB to (N, h, w, D), as ``encode_cells`` does. Raises ``ModelError`` for a
        model without cells.
        """
        self.check_cells()
        return self._float_image_tower.cells({"pixels": pixels})

    def mean_cells(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean cells of photos and their mirror images.

        As ``encode_cell_pixels``, in twice the time. The vectors are shorter than 1 where the two disagree,
        so the best cell of a phrase is right more often (benchmarks/where.md). ``cell_scale`` is for scores
        with them.
        """
        mirrored = self.encode_cell_pixels(np.ascontiguousarray(pixels[:, :, ::-1]))
        return np.asarray((self.encode_cell_pixels(pixels) + mirrored[:, :, ::-1]) / 2, dtype=np.float32)

    def check_cells(self) -> None:
        """Raise ``ModelError`` for a model without cells."""
        if not self.has_cells:
            trained_here = (
                ", or add them with "
                "`python -m twobranch.train.output.cells MODEL --captions FILE --images DIR`"
            )
            raise ModelError(
                f"{self.name}: this model gives no cells, so it cannot tell where in a photo; use the "
                f"default model{'' if self.config.source else trained_here}"
            )

    def prepare(self) -> None:
        """Load the image tower now rather than with the first photo. Raises ``ModelError``."""
        _ = self._image_tower

    def check(self) -> None:
        """Encode a grey photo, a short sentence and the longest one.

        Raises ``ModelError`` for a model whose parts do not fit together.
        """
        for language in (ENGLISH, *self.config.languages[:1]):
            self.encode_texts(["a dog", "dog " * max(1, self.config.max_tokens)], language)
        # Photos need no text tower, and a large one takes hundreds of megabytes.
        for name in (TEXT_TOWER, TEXT_TOWER_LANGUAGES):
            self._towers.pop(name, None)
        side = self.image_size
        self.encode_views(np.full((1, len(self.views), side, side, 3), 128, dtype=np.uint8))

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode square pixels on all cores.

        Maps (N, S, S, 3) uint8 RGB, as ``load_photo`` gives them, to (N, D) float32, unit rows.
        """
        return self._in_parallel(
            lambda start: self._run_image_tower(pixels[start : start + self._at_a_time]), len(pixels)
        )

    def encode_views(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode the views of photos on the calling thread's core alone.

        Maps (N, V, S, S, 3) uint8 RGB, the views ``self.views`` as ``load_views`` gives them, to (N, D)
        float32, unit rows. May be called from many threads.
        """
        return mean_over_views(self._run_image_tower, pixels)

    def encode_each_view(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode each view of photos by itself.

        Maps (N, V, S, S, 3) uint8 RGB, any views, to (N, V, D) float32, unit rows, on the calling thread's
        core alone. May be called from many threads.
        """
        return each_view(self._run_image_tower, pixels)

    def _run_image_tower(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._image_tower.run({"pixels": pixels})

    def _in_parallel(self, encode: Callable[[int], NDArray[np.float32]], n: int) -> NDArray[np.float32]:
        """Encode ``n`` photos in batches on all cores, to (n, …, D).

        ``encode`` takes the index at which a batch starts.
        """
        parts = _in_threads(encode, range(0, n, self._at_a_time))
        return np.concatenate(parts) if parts else np.empty((0, self.dim), dtype=np.float32)

    @property
    def _at_a_time(self) -> int:
        return 1 if self.device == "cpu" else _GPU_BATCH

    @property
    def reads_only_english(self) -> bool:
        """True for a model known to read no other language. Of a converted model that is not known."""
        return not self.languages and not self.reads_any_language

    @property
    def reads_any_language(self) -> bool:
        """True for a converted model, which may read languages unknown here."""
        return self.config.text_kind == "tokenizer"

    def language_of(self, text: str) -> str:
        """Return the code of the language to read ``text`` in.

        It is English for a model that reads no other language.
        """
        return ENGLISH if self.reads_only_english else language_of(well_formed(text))

    def encode_texts(self, texts: Sequence[str], language: str | None = None) -> NDArray[np.float32]:
        """Encode sentences on all cores, in the order of ``texts``.

        Returns (N, D) float32, unit rows. ``language`` is a code of ``embedding.language``; by default each
        text's language is detected. Raises ``TypeError`` for a text that is not in a list.
        """
        _check_list("texts", texts, (str, bytes), "texts")
        texts = [well_formed(text) for text in texts]
        embeddings = np.empty((len(texts), self.dim), dtype=np.float32)
        of_tower: dict[bool, list[int]] = {}
        for i, text in enumerate(texts):
            of_tower.setdefault(self._is_english(text, language), []).append(i)
        for english, rows in of_tower.items():
            text_input, tower = self._text_side(english)
            # Sentences of similar length share a batch, because padding costs time.
            rows.sort(key=lambda i: len(texts[i]))
            encode = partial(_encode_batch, texts, rows, text_input, tower, embeddings)
            _in_threads(encode, range(0, len(rows), TEXT_BATCH))
        return embeddings

    def encode_query(self, text: str, language: str | None = None) -> NDArray[np.float32]:
        """Encode a query.

        Returns (D,) float32, of length 1. If the model has templates ("a photo of {}"), a query of up to
        ``SHORT`` words is the mean of itself and of the templates around it (Radford et al., *Learning
        Transferable Visual Models From Natural Language Supervision*, 2021).
        """
        return self.encode_queries([text], language)[0]

    def encode_queries(
        self,
        texts: Sequence[str],
        language: str | None = None,
        templates: Sequence[str] | None = None,
    ) -> NDArray[np.float32]:
        """Encode several queries, as ``encode_query`` does, to (N, D).

        ``templates`` are used instead of the model's own.
        """
        templates = self.config.templates if templates is None else templates
        rows = self.encode_texts(texts, language)
        if not templates:
            return rows
        short = [row for row, text in enumerate(texts) if len(text.split()) <= SHORT]
        for template in templates:
            rows[short] += self.encode_texts([template.replace("{}", texts[row]) for row in short], language)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    def unknown_words(self, text: str, language: str | None = None) -> list[str]:
        """Return the words of ``text`` that the model does not know."""
        text = well_formed(text)
        return self._text_input(self._is_english(text, language)).unknown_words(text)

    def knows(self, text: str, language: str | None = None) -> bool:
        """Return True if the model knows anything in ``text``."""
        text = well_formed(text)
        return self._text_input(self._is_english(text, language)).knows(text)

    def _is_english(self, text: str, language: str | None) -> bool:
        """Return True for a text that the first text tower reads."""
        return (language or self.language_of(text)) == ENGLISH or not self.config.languages

    @property
    def _image_tower(self) -> Tower:
        if not self.variant.int8:
            return self._float_image_tower
        return self._tower(IMAGE_TOWER_INT8, self._image_inputs, self.device)

    @property
    def _float_image_tower(self) -> Tower:
        return self._tower(IMAGE_TOWER, self._image_inputs, self.device)

    @property
    def _image_inputs(self) -> tuple[Input, ...]:
        side = self.image_size
        return (Input("pixels", "tensor(uint8)", (None, side, side, 3), f"image_size {side} in {CONFIG}"),)

    def _text_side(self, english: bool) -> tuple[TextInput, Tower]:
        text_input = self._text_input(english)
        name = TEXT_TOWER if english else TEXT_TOWER_LANGUAGES
        return text_input, self._tower(name, text_input.takes, "cpu")

    def _tower(self, name: str, inputs: Sequence[Input], device: Device) -> Tower:
        """Return a tower, loaded once even if several threads ask for it."""
        with self._loading:
            if name not in self._towers:
                self._towers[name] = Tower(self.folder / name, inputs, self.dim, device)
            return self._towers[name]

    def _text_input(self, english: bool) -> TextInput:
        """Return the input converter of one text tower, loaded once."""
        with self._loading:
            if english not in self._text_inputs:
                self._text_inputs[english] = self._load_text_input(english)
            return self._text_inputs[english]

    def _load_text_input(self, english: bool) -> TextInput:
        if not english:
            return TokensInput(self.folder / TOKENIZER_LANGUAGES, self.config.max_tokens)
        if self.config.text_kind == "words":
            return WordsInput(self.folder)
        tokens = Tokens.of(self.config.tokens)
        return TokensInput(self.folder / TOKENIZER, self.config.max_tokens, tokens)


def _check_list(name: str, value: object, single: tuple[type, ...], what: str) -> None:
    """Raise ``TypeError`` for one item in place of a list.

    A text would be read as a list of its letters.
    """
    if isinstance(value, single):
        raise TypeError(f"{name} is a {type(value).__name__}; pass a list of {what}")


def mean_over_views(
    encode: Callable[[NDArray[np.uint8]], NDArray[np.float32]], pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return the mean direction of the views of each photo.

    Returns (N, D) float32, unit rows. ``pixels`` is (N, V, S, S, 3). ``encode`` is called with one view of
    all photos at a time, since larger batches are no faster.
    """
    if pixels.shape[1] == 1:
        return encode(np.ascontiguousarray(pixels[:, 0]))
    total = np.sum(each_view(encode, pixels), axis=1)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def each_view(
    encode: Callable[[NDArray[np.uint8]], NDArray[np.float32]], pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return the (N, V, D) vectors of each view of each photo.

    ``pixels`` is (N, V, S, S, 3). ``encode`` is called as for ``mean_over_views``.
    """
    views = [encode(np.ascontiguousarray(pixels[:, view])) for view in range(pixels.shape[1])]
    return np.stack(views, axis=1)


def _encode_batch(
    texts: Sequence[str],
    rows: Sequence[int],
    text_input: TextInput,
    tower: Tower,
    embeddings: NDArray[np.float32],
    start: int,
) -> None:
    """Fill in the embeddings of one batch of ``rows``, from ``start`` on."""
    batch = rows[start : start + TEXT_BATCH]
    embeddings[batch] = tower.run(text_input.inputs([texts[i] for i in batch]))


def _in_threads(work: Callable[[int], T], items: Sequence[int]) -> list[T]:
    """Apply ``work`` to each item, with one thread for each core.

    Results are in the order of the items. A single item runs on the calling thread.
    """
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(usable_cores()) as threads:
        return list(threads.map(work, items))


def _check_cuda() -> None:
    """Raise ``ModelError`` where ONNX Runtime was not built for CUDA."""
    import onnxruntime

    if PROVIDERS["cuda"] not in onnxruntime.get_available_providers():
        raise ModelError(
            "this ONNX Runtime has no CUDA; replace it: pip uninstall onnxruntime, then "
            "pip install 'onnxruntime-gpu[cuda,cudnn]' (or use --device cpu)"
        )
