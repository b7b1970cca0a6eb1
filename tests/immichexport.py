"""A model of ours as an Immich export: the way back to what ``models add`` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


def export_to_immich(model: Path, folder: Path, *, length: int = 64, batch: int | str = "batch_size") -> Path:
    """Write the English towers of a model folder as Immich's exporter would.

    The image tower takes normalised floats (N, 3, S, S), the text tower int32 ids of ``length`` tokens alone.
    """
    for name in ("visual", "textual"):
        (folder / name).mkdir(parents=True)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    size = config["image_size"]
    onnx.save(_visual(onnx.load(model / "image.onnx"), size, batch), folder / "visual/model.onnx")
    onnx.save(_textual(onnx.load(model / "text.onnx"), length, batch), folder / "textual/model.onnx")
    Tokenizer.from_file(str(model / "tokenizer.json")).save(str(folder / "textual/tokenizer.json"))
    write_json(folder / "textual/tokenizer_config.json", {"pad_token": "[PAD]"})
    write_json(
        folder / "visual/preprocess_cfg.json",
        {
            "size": [size, size],
            "mode": "RGB",
            "mean": MEAN,
            "std": STD,
            "interpolation": "bicubic",
            "resize_mode": "squash",
            "fill_color": 0,
        },
    )
    write_json(folder / "config.json", {"embed_dim": config["dim"], "text_cfg": {"context_length": length}})
    return folder


def write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data), encoding="utf-8")


def _visual(model: onnx.ModelProto, size: int, batch: int | str) -> onnx.ModelProto:
    """Undo the normalisation: (x * std + mean) * 255 are the pixels."""
    graph = model.graph
    std, mean = (np.array(values, dtype=np.float32).reshape(1, 3, 1, 1) for values in (STD, MEAN))
    graph.initializer.extend(
        [numpy_helper.from_array(255 * std, "e.std"), numpy_helper.from_array(255 * mean, "e.mean")]
    )
    nodes = [
        helper.make_node("Mul", ["image", "e.std"], ["e.scaled"]),
        helper.make_node("Add", ["e.scaled", "e.mean"], ["e.values"]),
        helper.make_node("Round", ["e.values"], ["e.whole"]),
        helper.make_node("Cast", ["e.whole"], ["e.bytes"], to=TensorProto.UINT8),
        helper.make_node("Transpose", ["e.bytes"], ["pixels"], perm=[0, 2, 3, 1]),
    ]
    _with_inputs(
        model, [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, size, size])], nodes
    )
    return model


def _textual(model: onnx.ModelProto, length: int, batch: int | str) -> onnx.ModelProto:
    """Find the attention mask in the ids: 1 where they are not 0, the padding."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, dtype=np.int64), "e.pad"))
    nodes = [
        helper.make_node("Cast", ["text"], ["input_ids"], to=TensorProto.INT64),
        helper.make_node("Equal", ["input_ids", "e.pad"], ["e.is_pad"]),
        helper.make_node("Not", ["e.is_pad"], ["e.is_text"]),
        helper.make_node("Cast", ["e.is_text"], ["attention_mask"], to=TensorProto.INT64),
    ]
    _with_inputs(model, [helper.make_tensor_value_info("text", TensorProto.INT32, [batch, length])], nodes)
    return model


def _with_inputs(
    model: onnx.ModelProto, inputs: list[onnx.ValueInfoProto], nodes: list[onnx.NodeProto]
) -> None:
    """Give the graph other inputs and a first output alone, called as Immich's exporter calls it."""
    graph = model.graph
    for node in graph.node:  # the name is needed for the output
        node.input[:] = [f"e.{name}" if name == "embedding" else name for name in node.input]
        node.output[:] = [f"e.{name}" if name == "embedding" else name for name in node.output]
    rest = list(graph.node)
    # The cells of an image tower are overridable; here they are a weight like any other.
    del graph.node[:], graph.input[:], graph.output[1:]
    graph.input.extend(inputs)
    graph.node.extend([*nodes, *rest, helper.make_node("Identity", [graph.output[0].name], ["embedding"])])
    graph.output[0].name = "embedding"
    graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch_size"
