"""Storage of a tower's weights in less space, or in two files.

Needs ``onnx``, and no PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# A protobuf file holds less than 2 GiB. Larger weights are stored beside it, in one file of this suffix.
_MOST_BYTES = 2**31 - 2**20
EXTERNAL_SUFFIX = ".data"


def save_tower(model: onnx.ModelProto, path: Path, most_bytes: int = _MOST_BYTES) -> None:
    """Write a tower to ``path``.

    Its weights are put in ``path`` + ``.data`` if all is too large for one file.
    """
    weights = Path(f"{path}{EXTERNAL_SUFFIX}")
    weights.unlink(missing_ok=True)  # `onnx.save` would append to it
    # `model.ByteSize()` fails where it matters.
    if sum(tensor.ByteSize() for tensor in model.graph.initializer) <= most_bytes:
        onnx.save(model, path)
    else:
        onnx.save(model, path, save_as_external_data=True, location=weights.name, size_threshold=1024)


def forget_source(model: onnx.ModelProto) -> None:
    """Remove the file names and line numbers that the exporter adds.

    With them the checksum of an unchanged tower would depend on the machine and on unrelated code.
    """
    graph = model.graph
    parts = [*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in (model, graph, *parts):
        del part.metadata_props[:]
        part.doc_string = ""


def store_float16(path: Path, smallest: int = 1024) -> None:
    """Store float32 weights of at least ``smallest`` values as float16.

    This halves the file. Arithmetic stays float32: the weights are cast back, and ONNX Runtime folds the
    casts when it opens the model. So the only change is the rounding of weights to 11 bits.
    """
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < smallest:
            continue
        name = tensor.name
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}.f16")
        graph.initializer.remove(tensor)
        graph.initializer.append(half)
        casts.append(helper.make_node("Cast", [half.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    _prepend(model, casts)
    save_tower(model, path)


def store_int8(path: Path, smallest: int = 1024) -> None:
    """Store weight matrices as int8 with scales.

    There is one scale per output column, or per row of an embedding table. Only weights are int8; arithmetic
    is in float32. With int8 activations the scale would be taken over the whole batch, and a sentence's
    vector would change with the other sentences of its batch. Tables that are only gathered from stay int8 in
    memory: their rows are dequantised after the gather.
    """
    model = onnx.load(path)
    graph = model.graph
    consumers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    before = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2 or np.prod(tensor.dims) < smallest:
            continue
        name, weights = tensor.name, numpy_helper.to_array(tensor)
        gathers = [node for node in consumers[name] if node.op_type == "Gather" and node.input[0] == name]
        if len(gathers) == len(consumers[name]):
            before += _quantise_table(graph, tensor, weights, gathers)
        else:
            # Gemm with transB holds its matrix as (out, in); the output axis carries the scales.
            transposed = any(
                attribute.name == "transB" and attribute.i
                for node in consumers[name]
                for attribute in node.attribute
            )
            before.append(_quantise_matrix(graph, tensor, weights, axis=0 if transposed else 1))
    _prepend(model, before)
    save_tower(model, path)


def _quantise_matrix(
    graph: onnx.GraphProto, tensor: onnx.TensorProto, weights: np.ndarray, axis: int
) -> onnx.NodeProto:
    scale = np.maximum(np.abs(weights).max(axis=1 - axis), 1e-12).astype(np.float32) / 127
    quantised = np.rint(weights / np.expand_dims(scale, 1 - axis)).astype(np.int8)
    name = tensor.name
    graph.initializer.remove(tensor)
    graph.initializer.append(numpy_helper.from_array(quantised, f"{name}.i8"))
    graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
    inputs = [f"{name}.i8", f"{name}.scale"]
    return helper.make_node("DequantizeLinear", inputs, [name], name=f"{name}.dequantise", axis=axis)


def _quantise_table(
    graph: onnx.GraphProto, tensor: onnx.TensorProto, weights: np.ndarray, gathers: list[onnx.NodeProto]
) -> list[onnx.NodeProto]:
    """Store a table as int8 with one scale per row.

    Each Gather becomes Gather → Cast → Mul, with the scales gathered like the rows.
    """
    scale = np.maximum(np.abs(weights).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
    quantised = np.rint(weights / scale).astype(np.int8)
    name = tensor.name
    graph.initializer.remove(tensor)
    graph.initializer.append(numpy_helper.from_array(quantised, f"{name}.i8"))
    graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
    for node in gathers:
        out = node.output[0]
        position = list(graph.node).index(node)
        indices = node.input[1]
        graph.node.remove(node)
        replacement = [
            helper.make_node("Gather", [f"{name}.i8", indices], [f"{out}.i8"], name=f"{out}.rows"),
            helper.make_node("Cast", [f"{out}.i8"], [f"{out}.f32"], name=f"{out}.cast", to=TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}.scale", indices], [f"{out}.scale"], name=f"{out}.scales"),
            helper.make_node("Mul", [f"{out}.f32", f"{out}.scale"], [out], name=f"{out}.dequantise"),
        ]
        for offset, new in enumerate(replacement):
            graph.node.insert(position + offset, new)
    return []


def _prepend(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
