"""The ONNX graphs of other projects as towers of ours.

A tower of ours takes uint8 pixels (N, S, S, 3), or int64 token ids and their mask (N, T), and gives unit
rows (N, D). The graphs of others take normalised floats and may give rows of any length. The missing steps
are added as nodes; the weights stay as they are. Needs ``onnx``, and no PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import first_line

_OPSETS = (11, 26)  # oldest and newest that were tried
_MOST_BYTES = 2**31  # what protobuf can read
_ROWS = ("embedding", "image_embeds", "text_embeds", "image_embedding", "text_embedding", "embeddings")
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_INTEGERS = (TensorProto.INT32, TensorProto.INT64)
_PREFIX = "twobranch."  # of every value that is added, so that no name is there twice
_INPUTS = ("pixels", "input_ids", "attention_mask")


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of RGB, of values from 0 to 1.

    A model's pixels are normalised with them."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def load_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file, and weights in files beside it.

    Raises ``ModelError`` for a file that is missing, damaged, too large to read or of an unknown opset, and
    for weights that are not in the file's folder.
    """
    if not path.is_file():
        raise ModelError(f"{path}: missing; a model needs this tower")
    if path.stat().st_size >= _MOST_BYTES:
        size = path.stat().st_size / 2**30
        raise ModelError(
            f"{path}: {size:.1f} GB in one file, and ONNX ends at 2 GB; export it with external data"
        )
    try:
        model = onnx.load(path, load_external_data=False)
        _check_weights(model, path)
        onnx.load_external_data_for_model(model, str(path.parent))
    except ModelError:
        raise
    except Exception as error:  # protobuf's and onnx's own exception types share no public base
        raise ModelError(f"{path}: not an ONNX file that can be read ({first_line(error)})") from None
    if not model.graph.node:
        raise ModelError(f"{path}: not an ONNX file that can be read (it has no nodes)")
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if not _OPSETS[0] <= opset <= _OPSETS[1]:
        raise ModelError(
            f"{path}: ONNX opset {opset}, and this program reads {_OPSETS[0]} to {_OPSETS[1]}; "
            "export the model again with one of those"
        )
    return model


def _check_weights(model: onnx.ModelProto, path: Path) -> None:
    """Raise ``ModelError`` unless weights outside the file are in its folder."""
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        name = next((one.value for one in tensor.external_data if one.key == "location"), "")
        beside = path.parent / name
        if Path(name).name != name or (
            beside.is_symlink() and beside.resolve().parent != path.parent.resolve()
        ):
            raise ModelError(f"{path}: has weights in {name!r:.80}, which is not in its folder")
        if not beside.is_file():
            raise ModelError(f"{path}: has weights in {name}, which is missing; copy that file as well")


def image_tower(model: onnx.ModelProto, path: Path, size: int, scaling: Scaling) -> None:
    """Make an image tower of a graph, in place.

    The graph takes (N, 3, S, S) floats normalised with ``scaling``, or (N, S, S, 3) uint8 that it normalises
    itself. Raises ``ModelError`` for another one; ``path`` is its name in messages.
    """
    _free_names(model)
    given = _inputs(model)
    if len(given) != 1:
        raise ModelError(f"{path}: takes {_names(given)} rather than one image")
    image = given[0]
    kind, shape = image.type.tensor_type.elem_type, _shape(image)
    if kind == TensorProto.UINT8 and len(shape) == 4 and shape[3] == 3:
        expected, nodes = (shape[0], size, size, 3), [helper.make_node("Identity", ["pixels"], [image.name])]
    elif kind in _FLOATS and len(shape) == 4 and shape[1] in (3, None):
        expected, nodes = (shape[0], 3, size, size), _normalise(model, image.name, kind, scaling)
    else:
        raise ModelError(f"{path}: takes {image.name} of {_sizes(shape)}, which are not the pixels of photos")
    if any(found not in (None, wanted) for found, wanted in zip(shape, expected, strict=True)):
        raise ModelError(
            f"{path}: takes photos of {_sizes(shape)} rather than {_sizes(expected)}, "
            f"the size in its preprocessing"
        )
    batch = 1 if shape[0] == 1 else "batch"
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, [batch, size, size, 3])
    _replace_inputs(model, [pixels], nodes)
    _add_unit_rows(model, path, batch)


def text_tower(model: onnx.ModelProto, path: Path, length: int | None) -> None:
    """Make a text tower of a graph, in place.

    The graph takes token ids (N, T), alone or with an attention mask. ``length`` is T where texts are padded,
    None where it varies. Raises ``ModelError`` for another one; ``path`` is its name in messages.
    """
    _free_names(model)
    given = _inputs(model)
    masks = [one for one in given if "mask" in one.name.lower()]
    ids = [one for one in given if one not in masks]
    if len(ids) != 1 or len(masks) > 1:
        raise ModelError(f"{path}: takes {_names(given)} rather than the tokens of a text and their mask")
    for one in given:
        kind, shape = one.type.tensor_type.elem_type, _shape(one)
        if kind not in _INTEGERS or len(shape) != 2:
            raise ModelError(
                f"{path}: takes {one.name} of {_sizes(shape)}, which are not the tokens of texts"
            )
        if isinstance(shape[1], int) and shape[1] != length:
            raise ModelError(
                f"{path}: takes texts of {shape[1]} tokens, and its tokenizer gives {length or 'any number'}"
            )
    batch = 1 if _shape(ids[0])[0] == 1 else "batch"
    new = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [batch, length or "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    nodes = [
        helper.make_node(
            "Cast", [name], [one.name], to=one.type.tensor_type.elem_type, name=f"{_PREFIX}{name}.cast"
        )
        for name, found in (("input_ids", ids), ("attention_mask", masks))
        for one in found
    ]
    _replace_inputs(model, new, nodes)
    _add_unit_rows(model, path, batch)


def _normalise(model: onnx.ModelProto, name: str, kind: int, scaling: Scaling) -> list[onnx.NodeProto]:
    """Return the nodes that normalise pixels.

    They turn (N, S, S, 3) uint8 into (N, 3, S, S) floats."""
    mean, std = (np.array(values, dtype=np.float32) for values in (scaling.mean, scaling.std))
    constants = {"twobranch.pixels.factor": 1 / (255 * std), "twobranch.pixels.offset": -mean / std}
    model.graph.initializer.extend(
        numpy_helper.from_array(value.astype(np.float32), key) for key, value in constants.items()
    )
    return [
        helper.make_node(
            "Cast", ["pixels"], ["twobranch.pixels.float"], to=TensorProto.FLOAT, name="twobranch.pixels.cast"
        ),
        helper.make_node(
            "Mul",
            ["twobranch.pixels.float", "twobranch.pixels.factor"],
            ["twobranch.pixels.scaled"],
            name="twobranch.pixels.scale",
        ),
        helper.make_node(
            "Add",
            ["twobranch.pixels.scaled", "twobranch.pixels.offset"],
            ["twobranch.pixels.normal"],
            name="twobranch.pixels.shift",
        ),
        helper.make_node(
            "Transpose",
            ["twobranch.pixels.normal"],
            ["twobranch.pixels.planes"],
            perm=[0, 3, 1, 2],
            name="twobranch.pixels.turn",
        ),
        helper.make_node("Cast", ["twobranch.pixels.planes"], [name], to=kind, name="twobranch.pixels.type"),
    ]


def _add_unit_rows(model: onnx.ModelProto, path: Path, batch: int | str) -> None:
    """Make unit rows the only output of a graph."""
    outputs = [one for one in model.graph.output if len(_shape(one)) in (0, 2)]
    named = [one for one in outputs if one.name in _ROWS] or outputs
    if not named or named[0].type.tensor_type.elem_type not in _FLOATS:
        raise ModelError(f"{path}: gives {_names(list(model.graph.output))}, which has no rows of vectors")
    rows = named[0]
    dim = (_shape(rows) or [None, None])[1]
    nodes = [
        helper.make_node(
            "Cast", [rows.name], ["twobranch.rows.float"], to=TensorProto.FLOAT, name="twobranch.rows.cast"
        ),
        helper.make_node(
            "LpNormalization",
            ["twobranch.rows.float"],
            ["twobranch.rows"],
            axis=-1,
            p=2,
            name="twobranch.rows.unit",
        ),
    ]
    model.graph.node.extend(nodes)
    del model.graph.output[:]
    model.graph.output.append(
        helper.make_tensor_value_info(
            "twobranch.rows", TensorProto.FLOAT, [batch, dim if dim is not None else "dim"]
        )
    )


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the graph's required inputs. Old files list their weights as inputs too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [one for one in model.graph.input if one.name not in weights]


def _replace_inputs(
    model: onnx.ModelProto, new: Sequence[onnx.ValueInfoProto], nodes: Sequence[onnx.NodeProto]
) -> None:
    """Give the graph other inputs.

    ``nodes``, which lead from these to the old ones, are put at its beginning."""
    old = {one.name for one in _inputs(model)}
    kept = [one for one in model.graph.input if one.name not in old]
    rest = list(model.graph.node)
    del model.graph.input[:], model.graph.node[:]
    model.graph.input.extend([*new, *kept])
    model.graph.node.extend([*nodes, *rest])


def _free_names(model: onnx.ModelProto) -> None:
    """Rename the graph's own values that have names of ours.

    They are those of our inputs, and those that an earlier conversion added.
    """

    graphs = _all_graphs(model)
    there = {name for graph in graphs for node in graph.node for name in (*node.input, *node.output)}
    mark = "original."
    while any(name.startswith(mark) for name in there):
        mark += "original."

    def freed(name: str) -> str:
        return mark + name if name in _INPUTS or name.startswith(_PREFIX) else name

    for graph in graphs:
        for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            value.name = freed(value.name)
        for node in graph.node:
            node.input[:] = map(freed, node.input)
            node.output[:] = map(freed, node.output)


def _all_graphs(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    """Return the graph and those inside of its nodes.

    An If has one for each branch."""
    graphs = [model.graph]
    for graph in graphs:  # grows while it is read
        graphs += [one.g for node in graph.node for one in node.attribute if one.HasField("g")]
    return graphs


def _shape(value: onnx.ValueInfoProto) -> list[int | None]:
    """Return the sizes of a value's axes; None for one that varies."""
    axes = value.type.tensor_type.shape.dim
    return [axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in axes]


def _sizes(shape: Sequence[int | None]) -> str:
    return " x ".join("any" if size is None else str(size) for size in shape) or "one number"


def _names(values: Sequence[onnx.ValueInfoProto]) -> str:
    return ", ".join(one.name for one in values) or "nothing"
