"""Conversion of Immich's exports.

They have two ONNX files, a tokenizer and a preprocessing table. Immich's exporter writes open_clip's towers
and its preprocessing configuration, with the tokenizer of ``transformers``; its server pads texts to the
context length. M-CLIP exports take an attention mask as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twobranch.common.errors import ModelError
from twobranch.common.progress import Progress
from twobranch.embedding.conversion.compress import compress_towers
from twobranch.embedding.conversion.converted import Converted
from twobranch.embedding.conversion.graphs import Scaling, image_tower, load_graph, text_tower
from twobranch.embedding.conversion.layouts import (
    IMMICH_TOKENIZER,
    IMMICH_TOKENIZER_CONFIG,
    PREPROCESSING,
    RESIZE_MODES,
    TEXTUAL,
    VISUAL,
    check_complete,
)
from twobranch.embedding.conversion.storage import save_tower
from twobranch.embedding.model_folder import CONFIG, IMAGE_TOWER, TEXT_TOWER, TOKENIZER, first_line
from twobranch.embedding.preparation import Framing, Tokens
from twobranch.embedding.text_inputs import TokensInput

_CONTEXT = 77  # tokens; open_clip's default
_LARGEST = 1e4  # mean and deviation of pixels: those known are below 1, or below 255
_MOST_VOCABULARY = 1.02  # times the size in the configuration: some tokenizers have a few unused tokens more


@dataclass(frozen=True)
class _Preprocessing:
    size: int
    framing: Framing
    scaling: Scaling


def convert_immich(source: Path, folder: Path, progress: Progress) -> Converted:
    """Write the towers and the tokenizer of an Immich export.

    They are written into ``folder``.

    Raises ``ModelError`` for an export that is incomplete or does not fit together.
    """
    check_complete(source)
    settings = _read(source / CONFIG) if (source / CONFIG).is_file() else {}
    text = _table(settings, "text_cfg", source / CONFIG)
    prepared = _preprocessing(source / PREPROCESSING)
    length = _whole(text.get("context_length", _CONTEXT), source / CONFIG, "context_length")
    vocabulary = _write_tokenizer(source, folder, length)
    stated = text.get("vocab_size")
    if isinstance(stated, int) and vocabulary > _MOST_VOCABULARY * stated:
        raise ModelError(
            f"{source / IMMICH_TOKENIZER}: {vocabulary:,} tokens, and the model in {CONFIG} knows "
            f"{stated:,}; it is another model's tokenizer"
        )
    tokenizing = _table(text, "tokenizer_kwargs", source / CONFIG)
    tokens = _tokens(tokenizing.get("clean", "whitespace"), source / CONFIG)
    progress.note("converting the image tower")
    graph = load_graph(source / VISUAL)
    image_tower(graph, source / VISUAL, prepared.size, prepared.scaling)
    save_tower(graph, folder / IMAGE_TOWER)
    progress.note("converting the text tower")
    graph = load_graph(source / TEXTUAL)
    text_tower(graph, source / TEXTUAL, length)
    save_tower(graph, folder / TEXT_TOWER)
    del graph
    return Converted(
        layout="immich",
        image_size=prepared.size,
        framing=prepared.framing,
        tokens=tokens,
        max_tokens=length,
        checks=compress_towers(folder, prepared.size, TokensInput(folder / TOKENIZER, length, tokens)),
    )


def _read(path: Path) -> dict[str, Any]:
    """Read a JSON table. Raises ``ModelError``."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({first_line(error)})") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: holds no table")
    return data


def _table(data: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Return a table within a table, empty where there is none. Raises ``ModelError`` for anything else."""
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ModelError(f"{path}: {name} is {value!r:.40} rather than a table")
    return value


def _preprocessing(path: Path) -> _Preprocessing:
    """Read open_clip's preprocessing configuration. Raises ``ModelError``."""
    data = _read(path)
    size = data.get("size")
    sides = size if isinstance(size, list) else [size]
    if len(set(map(str, sides))) != 1:
        raise ModelError(f"{path}: photos of {sides} are not square, and other models are not taken")
    mode = data.get("resize_mode", "shortest")
    if not isinstance(mode, str) or mode not in RESIZE_MODES:
        raise ModelError(f"{path}: resize_mode {mode!r:.40}; this program knows {', '.join(RESIZE_MODES)}")
    try:
        scaling = Scaling(tuple(map(float, data["mean"])), tuple(map(float, data["std"])))
        framing = Framing.of({"fit": RESIZE_MODES[mode], "filter": str(data.get("interpolation", "bicubic"))})
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: damaged ({type(error).__name__}: {error})") from None
    numbers = np.array([*scaling.mean, *scaling.std])
    if len(numbers) != 6 or not (np.abs(numbers) < _LARGEST).all() or min(scaling.std) < 1 / _LARGEST:
        raise ModelError(
            f"{path}: mean {list(scaling.mean)} and std {list(scaling.std)} are not those of RGB"
        )
    return _Preprocessing(_whole(sides[0], path, "size"), framing, scaling)


def _whole(value: Any, path: Path, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError(f"{path}: {name} is {value!r:.40} rather than a whole number")
    return value


def _tokens(cleaning: Any, path: Path) -> Tokens:
    try:
        return Tokens.of({"cleaning": cleaning, "padded": True})
    except TypeError as error:
        raise ModelError(f"{path}: {error}") from None


def _write_tokenizer(source: Path, folder: Path, length: int) -> int:
    """Write the tokenizer so that it pads and cuts texts to ``length``.

    Returns the number of its tokens.
    """
    from tokenizers import Tokenizer

    path = source / IMMICH_TOKENIZER
    pad = _read(source / IMMICH_TOKENIZER_CONFIG).get("pad_token")
    pad = pad.get("content") if isinstance(pad, dict) else pad
    try:
        tokenizer = Tokenizer.from_file(str(path))
        pad_id = tokenizer.token_to_id(pad) if isinstance(pad, str) else None
    except Exception as error:  # tokenizers raises bare exceptions
        raise ModelError(f"{path}: the tokenizer cannot be used ({first_line(error)})") from None
    if pad_id is None:
        raise ModelError(
            f"{source / IMMICH_TOKENIZER_CONFIG}: the pad_token {pad!r:.40} is not a token of it"
        )
    tokenizer.enable_padding(length=length, pad_token=pad, pad_id=pad_id)
    tokenizer.enable_truncation(max_length=length)
    # Its own `save` has no exception for a full disk.
    (folder / TOKENIZER).write_text(tokenizer.to_str(pretty=True), encoding="utf-8", newline="\n")
    return int(tokenizer.get_vocab_size())
