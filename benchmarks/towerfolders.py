"""Model folders with open_clip's architectures and random weights, for `benchmarks.towers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import torch
from timm.utils.model import reparameterize_model
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn

from benchmarks.towers import RCLIP_HOME, RCLIP_MODEL, RCLIPS
from twobranch.embedding.conversion.compress import sample_pixels
from twobranch.embedding.conversion.int8 import write_int8_tower
from twobranch.embedding.model_folder import (
    IMAGE_TOWER,
    IMAGE_TOWER_INT8,
    TEXT_TOWER,
    TOKENIZER,
    ModelConfig,
    sha256_file,
    write_config,
)
from twobranch.train.output.export import write_onnx


class _Image(nn.Module):
    """Pixels to unit rows."""

    _scale: Tensor
    _shift: Tensor

    def __init__(self, model: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self._model = model
        self.register_buffer("_scale", 1 / (255 * torch.tensor(std).view(1, 3, 1, 1)))
        self.register_buffer("_shift", -(torch.tensor(mean) / torch.tensor(std)).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        planes = pixels.permute(0, 3, 1, 2).float() * self._scale + self._shift
        return nn.functional.normalize(self._model.encode_image(planes), dim=-1)


class _Text(nn.Module):
    """Token ids to unit rows."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return nn.functional.normalize(self._model.encode_text(input_ids), dim=-1)


class _Rclip(nn.Module):
    """Normalised planes to rows of any length, as rclip's files have it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def forward(self, input: Tensor) -> Tensor:
        return self._model.encode_image(input)


def build(architecture: str, folder: Path) -> str:
    """Write a model folder, and one for rclip if it is rclip's architecture. Returns a line of facts."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)
    model = open_clip.create_model(architecture, pretrained=None).eval()
    model.visual = reparameterize_model(model.visual)  # folds the parallel branches of MobileCLIP
    size, length = open_clip.get_model_preprocess_cfg(model)["size"][0], model.context_length
    _export(model, folder, size, length)
    _write_tokenizer(folder / TOKENIZER, length)
    agreement = write_int8_tower(folder, sample_pixels(size))
    names = (IMAGE_TOWER, IMAGE_TOWER_INT8, TEXT_TOWER, TOKENIZER)
    with torch.inference_mode():
        dim = model.encode_image(torch.zeros(1, 3, size, size)).shape[1]
    config = ModelConfig(
        preset="random",
        backbone=architecture,
        image_size=size,
        dim=dim,
        text_kind="tokenizer",
        max_tokens=length,
        training={},
        dev={},
        files={name: sha256_file(folder / name) for name in names},
        framing={"fit": "crop"},
        tokens={"padded": True},
    )
    write_config(folder, config)
    if architecture == RCLIPS:
        _export_for_rclip(model, folder.parent / RCLIP_HOME, size)
    parameters = sum(one.numel() for one in model.parameters()) / 1e6
    return f"{architecture}: {parameters:.0f} million parameters, {size} px, {length} tokens, {agreement}"


def _export(model: Any, folder: Path, size: int, length: int) -> None:
    facts = open_clip.get_model_preprocess_cfg(model)
    pixels = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    write_onnx(
        _Image(model, facts["mean"], facts["std"]),
        [pixels],
        folder / IMAGE_TOWER,
        inputs=["pixels"],
        outputs=["rows"],
        dynamic=[["batch"]],
    )
    ids = torch.randint(1, 100, (2, length))
    write_onnx(
        _Text(model),
        [ids, torch.ones_like(ids)],
        folder / TEXT_TOWER,
        inputs=["input_ids", "attention_mask"],
        outputs=["rows"],
        dynamic=[["batch"], ["batch"]],
    )


def _export_for_rclip(model: Any, home: Path, size: int) -> None:
    """Write what rclip looks for before it would download anything. Only the image tower is used."""
    (folder := home / RCLIP_MODEL).mkdir(parents=True, exist_ok=True)
    write_onnx(
        _Rclip(model),
        [torch.rand(2, 3, size, size)],
        folder / "visual.onnx",
        inputs=["input"],
        outputs=["output"],
        dynamic=[["batch"]],
    )
    (folder / "textual.onnx").touch()
    (home / "tokenizer").mkdir(exist_ok=True)
    (home / "tokenizer" / "bpe_simple_vocab_16e6.txt.gz").touch()


def _write_tokenizer(path: Path, length: int) -> None:
    """Write a tokenizer of a few words: its time is nothing beside the tower's."""
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "a", "dog", "on", "beach"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(length=length)
    tokenizer.enable_truncation(length)
    tokenizer.save(str(path))
