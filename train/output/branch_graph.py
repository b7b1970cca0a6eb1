"""A trained branch as nodes behind the rows of a finished tower.

The tower's own graph stays as it is, whatever program exported it. The nodes are in ONNX since version 7 of
its operators, so they fit behind graphs of any later version. Weights that a graph keeps in a file beside it
are left there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from twobranch.embedding.branches import Branch, ResidualBranch

_PREFIX = "branch"


def with_branch(tower: ModelProto, branch: Branch | ResidualBranch, scale: float) -> ModelProto:
    """Return a copy of a tower that ends in a branch.

    ``tower`` gives (N, C) float32 rows as its first output, its only one in the copy. ``branch`` reads these
    rows divided by ``scale``, as ``TwoBranchNetwork`` does. Its matrices are stored in 16 bits: half the size
    for a rounding error of 0.05% of each weight.
    """
    model = ModelProto()
    model.CopyFrom(tower)
    graph = model.graph
    nodes = _Nodes(_free_prefix(model))
    scaled = nodes.add("Mul", [graph.output[0].name, nodes.constant(np.array(1 / scale))])
    moved = scaled
    for layer in branch.layers:
        moved = _layer(nodes, layer, moved)
    if isinstance(branch, ResidualBranch):
        moved = nodes.add("Add", [scaled, moved])
    rows = nodes.add("LpNormalization", [moved], axis=1, p=2)
    graph.node.extend(nodes.nodes)
    graph.initializer.extend(nodes.tensors)
    batch = next(iter(_sizes(graph.output[0])), "batch")
    dim = [layer for layer in branch.layers if isinstance(layer, nn.Linear)][-1].out_features
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(rows, TensorProto.FLOAT, [batch, dim]))
    return model


class _Nodes:
    """Nodes and weights, with names of their own."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Append a node, and return the name of its output."""
        name = f"{self._prefix}_{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: NDArray[np.float32]) -> str:
        """Append a weight in float32, and return its name."""
        return self._tensor(values.astype(np.float32))

    def matrix(self, values: NDArray[np.float32]) -> str:
        """Append a weight in float16, cast to float32, and return its name."""
        return self.add("Cast", [self._tensor(values.astype(np.float16))], to=TensorProto.FLOAT)

    def _tensor(self, values: NDArray[np.generic]) -> str:
        name = f"{self._prefix}_weight{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(values, name))
        return name


def _layer(nodes: _Nodes, layer: nn.Module, rows: str) -> str:
    """Append a trained layer, and return the name of its output."""
    if isinstance(layer, nn.Linear):
        weight, bias = nodes.matrix(_array(layer.weight)), nodes.constant(_array(layer.bias))
        return nodes.add("Gemm", [rows, weight, bias], transB=1)
    if isinstance(layer, nn.BatchNorm1d):
        factor, shift = _batch_norm(layer)
        return nodes.add("Add", [nodes.add("Mul", [rows, nodes.constant(factor)]), nodes.constant(shift)])
    if isinstance(layer, nn.ReLU):
        return nodes.add("Relu", [rows])
    if isinstance(layer, nn.Dropout):
        return rows
    raise ValueError(f"a branch has a layer {type(layer).__name__}, which has no nodes here")


def _batch_norm(layer: nn.BatchNorm1d) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the (C,) factor and shift of a trained batch normalisation."""
    assert layer.running_mean is not None
    assert layer.running_var is not None
    factor = layer.weight / torch.sqrt(layer.running_var + layer.eps)
    return _array(factor), _array(layer.bias - layer.running_mean * factor)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.detach().numpy()


def _free_prefix(model: ModelProto) -> str:
    """Return a prefix that no name in the graph has. A tower may end in the branch of an earlier training."""
    names = {name for node in model.graph.node for name in (node.name, *node.output)}
    names |= {tensor.name for tensor in model.graph.initializer}
    candidates = (f"{_PREFIX}{number}" for number in range(1, len(names) + 2))
    return next(one for one in candidates if not any(name.startswith(f"{one}_") for name in names))


def _sizes(output: onnx.ValueInfoProto) -> Iterator[int | str]:
    """Yield the sizes of an output's axes, by name where they vary."""
    for axis in output.type.tensor_type.shape.dim:
        yield axis.dim_value or axis.dim_param or "batch"
