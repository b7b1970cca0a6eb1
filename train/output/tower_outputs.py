"""The grid and the cells of an image tower's ONNX graph.

A finished tower has no PyTorch network beside it, so cells are added to the graph itself.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from twobranch.common.errors import ModelError
from twobranch.embedding.tower import CELLS, CELLS_WANTED

_POOLING = ("ReduceMean", "GlobalAveragePool")
_MOVES = ("Reshape", "Transpose", "Flatten")  # between the grid and the mean over it
_PREFIX = "cells_"


def grid_output(model: ModelProto) -> str:
    """Return the name of the features that the tower pools.

    They have shape (N, C, h, w). Raises ``ModelError`` for a graph that does not end in a mean over a grid.
    """
    made_by = {name: node for node in model.graph.node for name in node.output}
    name = _pooling(model).input[0]
    while name in made_by and made_by[name].op_type in _MOVES:
        name = made_by[name].input[0]
    return str(name)


def head_of(model: ModelProto) -> ModelProto:
    """Return the part of the tower behind its pooling.

    It maps (N, C) pooled features to the tower's output. Raises ``ModelError`` as ``grid_output`` does.
    """
    pooled = str(_pooling(model).output[0])
    head = ModelProto()
    head.CopyFrom(model)
    for node in head.graph.node:
        if node.op_type == "Shape":  # of the pixels: only the number of photos is taken from it
            node.input[0] = pooled
    pixels = head.graph.input[0].name
    del head.graph.input[:]
    head.graph.input.append(helper.make_tensor_value_info(pooled, TensorProto.FLOAT, None))
    nodes = [node for node in head.graph.node if pooled not in node.output]
    del head.graph.node[:]
    head.graph.node.extend(nodes)
    head = pruned(head)
    if any(pixels in node.input for node in head.graph.node):
        raise ModelError("the image tower uses its pixels behind the pooling, so it cannot be cut there")
    return head


def _pooling(model: ModelProto) -> NodeProto:
    """Return the node that takes the mean over the grid."""
    found = next((node for node in model.graph.node if node.op_type in _POOLING), None)
    if found is None:
        raise ModelError("the image tower does not end in a mean over a grid, so it can give no cells")
    return found


def with_output(model: ModelProto, name: str) -> ModelProto:
    """Return a copy of the model with one output.

    It is the float tensor ``name``, of any shape.
    """
    changed = ModelProto()
    changed.CopyFrom(model)
    del changed.graph.output[:]
    changed.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return pruned(changed)


def without_cells(model: ModelProto) -> ModelProto:
    """Return a copy of the tower that gives its vectors alone."""
    changed = ModelProto()
    changed.CopyFrom(model)
    kept = [output for output in changed.graph.output if output.name != CELLS]
    del changed.graph.output[:]
    changed.graph.output.extend(kept)
    return pruned(changed)


def with_cells(tower: ModelProto, branch: ModelProto) -> ModelProto:
    """Return the tower with the cells of ``branch`` as its second output.

    ``branch`` maps ``grid`` (N, C, h, w) to ``cells`` (N, h, w, D).
    """
    plain, grid = without_cells(tower), grid_output(tower)
    rows = plain.graph.output[0].name
    named = compose.add_prefix(branch, _PREFIX)
    named.ir_version = plain.ir_version  # the merge takes equal ones only
    del named.opset_import[:]
    named.opset_import.extend(plain.opset_import)
    outer = ModelProto()
    outer.CopyFrom(plain)
    outer.graph.output.append(helper.make_tensor_value_info(grid, TensorProto.FLOAT, None))
    merged = compose.merge_models(
        outer, named, io_map=[(grid, f"{_PREFIX}grid")], outputs=[rows, f"{_PREFIX}{CELLS}"]
    )
    for node in merged.graph.node:
        for at, name in enumerate(node.output):
            if name == f"{_PREFIX}{CELLS}":
                node.output[at] = CELLS
    merged.graph.output[1].name = CELLS
    _compute_on_demand(merged, grid)
    return merged


def _compute_on_demand(model: ModelProto, grid: str) -> None:
    """Let the branch see as many photos as are wanted.

    The number is an input with the default 0, with which the branch takes no time.
    """
    graph, part = model.graph, f"{_PREFIX}grid"
    start, axis = f"{_PREFIX}start", f"{_PREFIX}axis"
    for node in graph.node:
        if node.name.startswith(_PREFIX):
            for at, name in enumerate(node.input):
                if name == grid:
                    node.input[at] = part
    behind = 1 + next(at for at, node in enumerate(graph.node) if grid in node.output)
    graph.node.insert(behind, helper.make_node("Slice", [grid, start, CELLS_WANTED, axis], [part]))
    zero = np.zeros(1, dtype=np.int64)
    graph.initializer.extend(numpy_helper.from_array(zero, name) for name in (start, CELLS_WANTED, axis))
    graph.input.append(helper.make_tensor_value_info(CELLS_WANTED, TensorProto.INT64, [1]))


def pruned(model: ModelProto) -> ModelProto:
    """Remove nodes and weights that no output needs.

    Returns the same model.
    """
    graph = model.graph
    needed = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):  # nodes are in topological order
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    inputs = [one for one in graph.input if one.name in needed]
    del graph.input[:]
    graph.input.extend(inputs)
    values = [value for value in graph.value_info if value.name in needed]
    del graph.value_info[:]
    graph.value_info.extend(values)
    return model
