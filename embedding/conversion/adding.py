"""Adding of models: they are converted, checked and given a name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from twobranch.common.errors import ModelError
from twobranch.common.leftovers import remove_left_over_folders
from twobranch.common.progress import Progress
from twobranch.embedding.conversion.card import write_added_card
from twobranch.embedding.conversion.compress import sample_pixels, unit_rows
from twobranch.embedding.conversion.converted import Converted
from twobranch.embedding.conversion.int8 import write_int8_tower
from twobranch.embedding.conversion.names import ADDING, Origin, new_folder
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import (
    IMAGE_TOWER,
    IMAGE_TOWER_INT8,
    TEXT_TOWER,
    TOKENIZER,
    ModelConfig,
    sha256_file,
    write_config,
)
from twobranch.embedding.text_inputs import TokensInput

Convert = Callable[[Path, Path, Progress], Converted]

PRESET = "added"  # in the configuration of an added model


def add_model(source: Path, folder: Path, origin: Origin, convert: Convert, progress: Progress) -> Encoder:
    """Convert the model in ``source`` into ``folder``, and return its encoder.

    The folder appears when all is checked; until then the files are in a hidden folder beside it, which is
    removed if anything fails. That of an addition that was killed is removed by a later one. Raises
    ``ModelError``.
    """
    remove_left_over_folders(folder.parent, f".*{ADDING}")
    # The name is its own, as another process may add a model of the same name.
    partial = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}{ADDING}")
    partial.mkdir(parents=True)
    try:
        converted = _with_int8(partial, convert(source, partial, progress), progress)
        config = _config(partial, converted, origin)
        encoder = Encoder(partial, config)
        progress.note("checking the model")
        encoder.check()
        write_added_card(partial, config)
        write_config(partial, config)
        new_folder(folder.name)
        partial.rename(folder)
    except OSError as error:
        # That of a full disk names no file, or one here.
        if error.filename is not None and not Path(str(error.filename)).is_relative_to(partial):
            raise
        raise ModelError(
            f"{folder.parent}: {error.strerror or error}; nothing was added; TWOBRANCH_MODELS may name "
            "another folder"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Encoder.load(folder, verify=True)


def _with_int8(folder: Path, converted: Converted, progress: Progress) -> Converted:
    """Add an 8-bit image tower, unless it would differ too much."""
    progress.note("computing the image tower in 8 bits")
    try:
        agreement = write_int8_tower(folder, sample_pixels(converted.image_size))
    except ModelError as error:
        progress.note(f"{error}")
        return converted
    check = f"cosine of {IMAGE_TOWER_INT8} with {IMAGE_TOWER}"
    return replace(converted, checks={**converted.checks, check: f"{agreement.cosine:.5f}"})


def _config(folder: Path, converted: Converted, origin: Origin) -> ModelConfig:
    """Return the configuration of the files in ``folder``."""
    pixels = np.zeros((1, converted.image_size, converted.image_size, 3), dtype=np.uint8)
    texts = TokensInput(folder / TOKENIZER, converted.max_tokens, converted.tokens)
    inputs = {IMAGE_TOWER: {"pixels": pixels}, TEXT_TOWER: texts.inputs(["a dog"])}
    dims = {name: unit_rows(folder / name, one).shape[-1] for name, one in inputs.items()}
    if dims[IMAGE_TOWER] != dims[TEXT_TOWER]:
        raise ModelError(
            f"{origin.name}: its image tower gives vectors of {dims[IMAGE_TOWER]} numbers, its text tower of "
            f"{dims[TEXT_TOWER]}; these are not the towers of one model"
        )
    source: dict[str, Any] = {"name": origin.name, "layout": converted.layout, "licence": origin.licence}
    return ModelConfig(
        preset=PRESET,
        backbone=converted.architecture or origin.name,
        image_size=converted.image_size,
        dim=dims[IMAGE_TOWER],
        text_kind="tokenizer",
        max_tokens=converted.max_tokens,
        training={},
        dev={},
        files={
            path.name: sha256_file(path)
            for path in sorted(folder.iterdir())
            if path.name.startswith((IMAGE_TOWER, IMAGE_TOWER_INT8, TEXT_TOWER, TOKENIZER))
        },
        framing=replace(converted.framing, detail=2).as_json(),
        tokens=converted.tokens.as_json(),
        source=source | {"checks": dict(converted.checks)},
    )
