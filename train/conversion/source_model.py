"""The two halves of another project's model, for PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from twobranch.embedding.preparation import Framing, Tokens


@dataclass(frozen=True)
class PixelScaling:
    """The way from uint8 values to a network's.

    It is ``(value * factor - mean) / std``, with a mean and a std for each of RGB.
    """

    factor: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class ImageHalf:
    """The image half of a model.

    ``features`` maps (N, 3, S, S) float32, scaled, to (N, D).
    """

    features: Callable[[Tensor], Tensor]
    network: nn.Module  # that ``features`` calls; its weights go into the file
    scaling: PixelScaling
    size: int  # S, in pixels
    framing: Framing


@dataclass(frozen=True)
class TextHalf:
    """The text half of a model.

    ``features`` maps ids and attention mask, (N, T) int64, to (N, D).
    """

    features: Callable[[Tensor, Tensor], Tensor]
    network: nn.Module
    tokenizer: Tokenizer  # with padding to ``max_tokens`` where ``tokens.padded``
    tokens: Tokens
    max_tokens: int


@dataclass(frozen=True)
class SourceModel:
    """Another project's model, read and checked."""

    image: ImageHalf
    text: TextHalf
    architecture: str  # as its makers call it


class ImageTower(nn.Module):
    """The image half as a tower of ours.

    It maps (N, S, S, 3) uint8 pixels to (N, D) unit rows.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, half: ImageHalf) -> None:
        super().__init__()
        self.network = half.network  # registers the weights
        self._features = half.features
        mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (half.scaling.mean, half.scaling.std))
        self.register_buffer("scale", half.scaling.factor / std)
        self.register_buffer("shift", -mean / std)

    def forward(self, pixels: Tensor) -> Tensor:
        values = pixels.permute(0, 3, 1, 2).float() * self.scale + self.shift
        return nn.functional.normalize(self._features(values), dim=-1)


class TextTower(nn.Module):
    """The text half as a tower of ours.

    It maps ids and mask, (N, T) int64, to (N, D) unit rows.
    """

    def __init__(self, half: TextHalf) -> None:
        super().__init__()
        self.network = half.network
        self._features = half.features

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return nn.functional.normalize(self._features(input_ids, attention_mask), dim=-1)


def without_parts(network: Any, beginning: str) -> Any:
    """Return a network without the parts whose names have a ``beginning``. It shares all weights."""
    half = copy.copy(network)
    vars(half)["_modules"] = {
        name: part for name, part in network.named_children() if not name.startswith(beginning)
    }
    return half
