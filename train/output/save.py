"""Writing a trained network as a model folder.

The folder gets towers, network, card, curves and configuration.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twobranch.common.progress import Progress
from twobranch.embedding.backbones import Backbone
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.embedding.conversion.storage import store_float16, store_int8
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import IMAGE_TOWER, ModelConfig, sha256_file, write_config
from twobranch.train.checkpoint import Epoch, Tensors, best_epoch, write_tensors
from twobranch.train.data import CaptionedPhotos
from twobranch.train.metrics import Embed, dev_metrics, first_source, source_metrics
from twobranch.train.output.calibrate import write_calibration
from twobranch.train.output.card import write_card
from twobranch.train.output.curves import draw_curves
from twobranch.train.output.export import write_onnx
from twobranch.train.output.quantise import int8_rsum, write_int8_tower
from twobranch.train.output.questions import EncodedPhotos
from twobranch.train.presets import Preset
from twobranch.train.sides.joint import JointNetwork
from twobranch.train.sides.late_stages import LateStages, Stem
from twobranch.train.sides.text import TextTower

NETWORK = "network.safetensors"
CURVES = "curves.png"


class ImageTower(nn.Module):
    """Backbone and image branch as one network.

    It maps (N, S, S, 3) uint8 pixels to (N, D) unit rows.
    """

    def __init__(self, backbone: Backbone, network: TwoBranchNetwork) -> None:
        super().__init__()
        self.backbone = backbone
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.embed_images(self.backbone(pixels))


def backbone_extractor(backbone: Backbone) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return a function from pixels to features, in ONNX Runtime.

    (N, S, S, 3) uint8 pixels give (N, C) features. The towers run in ONNX Runtime too, so branches are
    trained on exactly the features that they get later. It is also about twice as fast as PyTorch on a CPU.
    """
    session = _session(backbone, backbone.size, ["features"])
    return lambda pixels: session.run(None, {"pixels": pixels})[0]


def halves_extractor(
    stem: Stem, late: LateStages, size: int
) -> Callable[[NDArray[np.uint8]], tuple[NDArray[np.float16], NDArray[np.float32]]]:
    """Return a function from pixels to activations and features, in ONNX Runtime.

    (N, S, S, 3) uint8 pixels give (N, h, w, C) float16 activations of the stem and (N, F) float32 features.
    """
    session = _session(_Halves(stem, late), size, ["activations", "features"])

    def run(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        activations, features = session.run(None, {"pixels": pixels})
        return activations.transpose(0, 2, 3, 1).astype(np.float16), features

    return run


class _Halves(nn.Module):
    """A backbone that also returns the activations between its halves."""

    def __init__(self, stem: Stem, late: LateStages) -> None:
        super().__init__()
        self.stem = stem
        self.late = late

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        activations = self.stem(pixels)
        return activations, self.late(activations).mean(dim=1)


@dataclass(frozen=True)
class TrainedModel:
    """A network with its best weights, and its two towers."""

    network: nn.Module  # all that was trained
    branches: TwoBranchNetwork  # the part of the network that the text tower ends in
    image_tower: nn.Module
    text_tower: TextTower
    backbone: Backbone
    preset: Preset
    history: Sequence[Epoch]


def save_model(
    folder: Path,
    model: TrainedModel,
    train: CaptionedPhotos,
    dev: CaptionedPhotos,
    *,
    training: dict[str, Any],
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Write the model folder, and return its dev metrics.

    The model is also calibrated on ``dev``. The metrics come from the written ONNX towers on the photo files,
    not from the training loop, so they include the losses of the export. ``training`` holds the facts about
    the run for ``config.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(model, training, _write_towers(folder, model))
    draw_curves(model.history, folder / CURVES, title=f"{config.preset}, {config.backbone}")
    encoder = Encoder(folder, config)
    images, texts = encoder.encode_images(dev.photos), encoder.encode_texts(dev.texts)
    metrics = dev_figures(images, texts, dev, encoder.encode_texts)
    files = {**config.files, **write_int8_tower(folder, train.photos, config.image_size)}
    config = replace(config, files=files)
    metrics |= int8_rsum(folder, config, dev, texts)
    encoded = EncodedPhotos(dev, images, texts)
    calibration = write_calibration(folder, encoder, train, encoded, seed=seed, progress=progress)
    config = replace(config, dev=metrics, files={**config.files, **calibration})
    write_card(folder, config)
    write_config(folder, config)
    return metrics


def _write_towers(folder: Path, model: TrainedModel) -> dict[str, str]:
    """Write the towers and the network.

    Returns the checksums of the towers' files.
    """
    _write_image_onnx(model.image_tower, model.backbone.size, folder / IMAGE_TOWER, ["embeddings"])
    if isinstance(model.network, JointNetwork):
        store_int8(folder / IMAGE_TOWER)  # only the branch has matrices: 3.7 MB less
    store_float16(folder / IMAGE_TOWER)
    names = [IMAGE_TOWER, *model.text_tower.save(model.branches, folder)]
    # Not one of the checked files: further training can start from it, but nothing else reads it.
    write_tensors(_half_matrices(model.network), folder / NETWORK)
    return {name: sha256_file(folder / name) for name in names}


def _config(model: TrainedModel, training: dict[str, Any], files: dict[str, str]) -> ModelConfig:
    """Return the configuration of a model without dev metrics."""
    preset = model.preset
    return ModelConfig(
        preset=preset.name,
        backbone=model.backbone.name,
        image_size=model.backbone.size,
        dim=preset.dim + (preset.evidence.dim if preset.evidence is not None else 0),
        text_kind=model.text_tower.kind,
        max_tokens=model.text_tower.max_tokens,
        training={**training, **run_facts(model.history)},
        dev={},
        files=files,
    )


def run_facts(history: Sequence[Epoch]) -> dict[str, Any]:
    """Return the facts for ``config.json`` about epochs and machine."""
    return {
        "epochs": len(history),
        "best_epoch": best_epoch(history).number,
        "seconds_in_epochs": round(sum(epoch.seconds for epoch in history), 1),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "versions": {name: version(name) for name in ("torch", "onnxruntime", "numpy", "pillow")},
    }


def dev_figures(
    images: NDArray[np.float32], texts: NDArray[np.float32], dev: CaptionedPhotos, embed: Embed
) -> dict[str, Any]:
    """Return the metrics of the first source.

    If there are several sources, those of each are added.
    """
    first, photos, rows = first_source(dev)
    metrics = dev_metrics(images[photos], texts[rows], first)
    if sources := source_metrics(images, texts, dev, embed):
        metrics["by_source"] = sources
    return metrics


def _half_matrices(network: nn.Module) -> Tensors:
    """Return the network's tensors, with matrices in float16.

    The towers store them so as well. It halves the size.
    """
    return {
        name: (tensor.half() if tensor.ndim >= 2 else tensor).contiguous()
        for name, tensor in network.state_dict().items()
    }


def _session(module: nn.Module, size: int, outputs: Sequence[str]) -> onnxruntime.InferenceSession:
    """Open ``module`` in ONNX Runtime.

    It is a function of (N, S, S, 3) uint8 pixels.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "module.onnx")
        _write_image_onnx(module, size, path, outputs)
        options = onnxruntime.SessionOptions()
        # Threads that wait for decoded photos would spin and slow the decoding down.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def _write_image_onnx(module: nn.Module, size: int, path: Path, outputs: Sequence[str]) -> None:
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    write_onnx(module, [example], path, inputs=["pixels"], outputs=outputs, dynamic=[["batch"]])
