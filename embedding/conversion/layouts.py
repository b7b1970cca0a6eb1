"""The folders in which other projects publish their models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import CONFIG, IMAGE_TOWER, TEXT_TOWER, added_models

Layout = Literal["immich", "open_clip", "transformers"]
OPEN_CLIP_CONFIG = "open_clip_config.json"
# The files of an Immich export, in the folder of a model.
VISUAL, TEXTUAL = "visual/model.onnx", "textual/model.onnx"
PREPROCESSING = "visual/preprocess_cfg.json"
IMMICH_TOKENIZER, IMMICH_TOKENIZER_CONFIG = "textual/tokenizer.json", "textual/tokenizer_config.json"
IMMICH_FILES = (VISUAL, TEXTUAL, PREPROCESSING, IMMICH_TOKENIZER, IMMICH_TOKENIZER_CONFIG, CONFIG)
# The ways of open_clip to resize a photo, as fits of a `Framing`.
RESIZE_MODES = {"squash": "squash", "shortest": "crop"}
# Layouts that PyTorch is needed for.
WITH_TORCH = frozenset[Layout]({"open_clip", "transformers"})


def layout_of(folder: Path) -> Layout:
    """Tell the layout of a folder by its files. Raises ``ModelError`` for none that is known."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder")
    if (folder / "visual").is_dir() or (folder / "textual").is_dir():
        return "immich"
    if (folder / OPEN_CLIP_CONFIG).is_file():
        return "open_clip"
    if (folder / IMAGE_TOWER).is_file() and (folder / TEXT_TOWER).is_file():
        raise ModelError(
            f"{folder}: a model folder of this program already; use it as it is, with --model {folder}; to "
            f"give it a name, copy it to {added_models() / 'NAME'}"
        )
    if (folder / CONFIG).is_file():
        return "transformers"
    raise ModelError(
        f"{folder}: not a model that can be added; it has neither visual/ and textual/ (an Immich export), "
        f"nor {OPEN_CLIP_CONFIG} (open_clip) nor {CONFIG} (transformers)"
    )


def check_complete(folder: Path) -> None:
    """Raise ``ModelError`` for an Immich export that lacks a file."""
    missing = [name for name in IMMICH_FILES[:-1] if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"{folder}: an Immich export without {', '.join(missing)}; copy the whole folder")
