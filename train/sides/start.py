"""The weights of an earlier model, from which a training can start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.torch import load_file
from torch import Tensor

from twobranch.common.errors import UserError
from twobranch.embedding.backbones import Backbone
from twobranch.embedding.model_folder import IMAGE_TOWER, TEXT_TOWER, read_config
from twobranch.train.checkpoint import Tensors
from twobranch.train.sides.late_stages import split_backbone

_NETWORK = "network.safetensors"


@dataclass(frozen=True)
class StartWeights:
    """Tuned weights of an earlier training, by the names of their parameters."""

    late: Tensors  # of train.sides.late_stages.LateStages, cut at "sixteenth"
    sentences: Tensors  # of train.sides.sentences.SentenceEncoder


def read_start(folder: Path, backbone: Backbone) -> StartWeights:
    """Read the tuned weights of a model folder.

    They come from its network file or, without one, from its two towers. Towers hold their weights in 16 or 8
    bits; the rounding error is smaller than the change of the first training step. Raises ``UserError`` for a
    model of another backbone, and for one that was never tuned.
    """
    config = read_config(folder)
    if config.backbone != backbone.name:
        raise UserError(
            f"{folder}: its backbone is {config.backbone}, not {backbone.name}; "
            f"add --backbone {config.backbone}"
        )
    image, network = _initializers(folder / IMAGE_TOWER), folder / _NETWORK
    late = _late_layers(image, len(split_backbone(backbone)[0].layers))
    sentences = _under("encoder.", _initializers(folder / TEXT_TOWER))
    if network.is_file():
        tensors = {name: tensor.float() for name, tensor in load_file(network).items()}
        late |= _under("late.", tensors)
        sentences |= _under("sentences.", tensors)
    if not late or not sentences:
        raise UserError(f"{folder}: its backbone was never tuned, so no training can start from it")
    return StartWeights(late, sentences)


def _late_layers(tower: Tensors, n_stem: int) -> Tensors:
    """Return the late stages as if cut at "sixteenth".

    The result is {} if the tower has no late stages. A deeper cut moves layers from the late stages behind
    the ``n_stem`` layers of the stem; the remaining ones keep their numbers.
    """
    late = _under("late.", tower)
    for name, weights in _under("stem.layers.", tower).items():
        number, rest = name.split(".", 1)
        if late and int(number) >= n_stem:
            late[f"layers.{int(number) - n_stem}.{rest}"] = weights
    return late


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _initializers(path: Path) -> Tensors:
    """Return the float32 weights of a tower by their names in PyTorch.

    The exporter keeps the names of parameters, except of matrices that it transposes. Those are found by the
    bias that is added to their product.
    """
    graph = onnx.load(path).graph
    raw = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights: dict[str, NDArray[np.float32]] = {}
    for name, values in raw.items():
        if name.endswith(".f16") and not name.endswith(".scale.f16"):
            weights[name.removesuffix(".f16")] = values.astype(np.float32)
        elif name.endswith(".i8"):
            weights[name.removesuffix(".i8")] = _dequantised(values, _scale(raw, name.removesuffix(".i8")))
        elif values.dtype == np.float32 and not name.endswith(".scale"):
            weights[name] = values
    added = {name: node for node in graph.node if node.op_type == "Add" for name in node.input}
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights or node.output[0] not in added:
            continue
        biases = [name for name in added[node.output[0]].input if name.endswith(".bias")]
        if biases:
            weights[biases[0].removesuffix("bias") + "weight"] = weights.pop(node.input[1]).T
    return {name: torch.from_numpy(np.array(values)) for name, values in weights.items()}


def _scale(raw: dict[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    """Return the float32 scales of an int8 matrix.

    They may be stored in 16 bits.
    """
    stored = raw[f"{name}.scale"] if f"{name}.scale" in raw else raw[f"{name}.scale.f16"]
    return stored.astype(np.float32)


def _dequantised(values: NDArray[np.int8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert an int8 matrix to float32.

    ``scale`` belongs to rows (of a table, or of Gemm's transposed matrix) or to columns.
    """
    if scale.ndim == 2:  # (rows, 1): a table
        return values * scale
    rows, columns = values.shape
    by_row = scale.shape[0] == rows and (rows != columns)
    return values * (scale[:, None] if by_row else scale[None, :])


def mixed(own: Tensors, start: Tensors, share: float) -> Tensors:
    """Interpolate two sets of weights with the same names.

    ``share`` is the part of ``start``, the rest is ``own``.
    """
    return {name: torch.lerp(own[name].float(), _like(own[name], start[name]), share) for name in own}


def _like(own: Tensor, start: Tensor) -> Tensor:
    if own.shape != start.shape:
        raise ValueError(f"weights of shapes {tuple(own.shape)} and {tuple(start.shape)}")
    return start.float()
