"""A model folder of some kilobytes, made by hand: photos are their mean colour, texts their colour words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from tests.calibrations import axes, line  # noqa: E402
from twobranch.embedding.model_folder import ModelConfig, TextKind, sha256_file, write_config  # noqa: E402
from twobranch.embedding.sif import SIF, WORD_LIST, WORD_VECTORS  # noqa: E402
from twobranch.retrieval.confidence import Calibration  # noqa: E402

SIZE, DIM = 8, 4
WORDS = ("red", "green", "blue", "dog")  # a word for each axis
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, "a")
Shape = Sequence[int | str]


def write_model(folder: Path, kind: TextKind = "wordpiece") -> Path:
    """The whole model, with a calibration; every part of it may be written anew, and ``seal`` called then."""
    folder.mkdir(parents=True)
    image_tower(folder)
    if kind == "words":
        words(folder)
        word_tower(folder)
    else:
        tokenizer(folder)
        text_tower(folder)
    calibration(folder)
    seal(folder, text_kind=kind, max_tokens=0 if kind == "words" else 8)
    return folder


def seal(folder: Path, **values: Any) -> None:
    """Write ``config.json`` with these values, and the checksums of what is in the folder now."""
    path = folder / "config.json"
    if path.exists():
        values = {**json.loads(path.read_text(encoding="utf-8")), **values}
    else:
        values = {"preset": "small", "backbone": "none", "image_size": SIZE, "dim": DIM} | values
        values |= {"training": {}, "dev": {}}
    names = sorted(file.name for file in folder.iterdir() if not file.name.startswith("config."))
    write_config(
        folder, ModelConfig(**{**values, "files": {name: sha256_file(folder / name) for name in names}})
    )


def image_tower(
    folder: Path,
    file: str = "image.onnx",
    *,
    name: str = "pixels",
    type: int = TensorProto.UINT8,
    shape: Shape = ("batch", SIZE, SIZE, 3),
    over: Sequence[int] = (1, 2),
    dim: int = DIM,
    **ends: Any,
) -> None:
    """Pixels to their mean colour and a little of the fourth axis, as a unit row."""
    weights = np.zeros((3, dim), dtype=np.float32)
    weights[: min(3, dim), : min(3, dim)] = np.eye(3)[: min(3, dim), : min(3, dim)]
    bias = np.full(dim, 2.55, dtype=np.float32)
    nodes = [
        helper.make_node("Cast", [name], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], axes=over, keepdims=0),
        helper.make_node("Gemm", ["mean", "weights", "bias"], ["sums"]),
    ]
    _write(
        folder / file,
        nodes,
        [(name, type, shape)],
        {"weights": weights, "bias": bias},
        ("batch", dim),
        **ends,
    )


def add_cells(folder: Path, *, name: str = "cells", dim: int = DIM, is_unit: bool = True) -> None:
    """Give the image tower a second output, each pixel as a cell, and seal the folder again.

    Cells score 1 with their colour and next to 0 with others; a score of 0.5 is even.
    """
    plain = sha256_file(folder / "image.onnx")
    model = onnx.load(folder / "image.onnx")
    weights = np.eye(3, dim, dtype=np.float32)
    constants = {"cell_weights": weights, "cell_bias": np.full(dim, 2.55, dtype=np.float32)}
    ending = ("LpNormalization", {"axis": 3, "p": 2}) if is_unit else ("Identity", {})
    model.graph.node.extend(
        [
            helper.make_node("MatMul", ["numbers", "cell_weights"], ["coloured"]),
            helper.make_node("Add", ["coloured", "cell_bias"], ["cell_sums"]),
            helper.make_node(ending[0], ["cell_sums"], [name], **ending[1]),
        ]
    )
    model.graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in constants.items())
    shape = ("batch", SIZE, SIZE, dim)
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    onnx.save(model, folder / "image.onnx")
    seal(folder, cells={"image.onnx": plain, "scale": {"middle": 0.5, "slope": 20.0}})


def text_tower(
    folder: Path,
    file: str = "text.onnx",
    *,
    names: tuple[str, str] = ("input_ids", "attention_mask"),
    type: int = TensorProto.INT64,
    shape: Shape = ("batch", "tokens"),
    dim: int = DIM,
    rows: int = len(VOCABULARY),
    **ends: Any,
) -> None:
    """Token ids to the sum of their rows in a table, as a unit row."""
    table = np.full((rows, dim), 0.01, dtype=np.float32)
    for axis, word in enumerate(WORDS[:dim]):
        if VOCABULARY.index(word) < rows:
            table[VOCABULARY.index(word), axis] = 1
    nodes = [
        helper.make_node("Gather", ["table", names[0]], ["found"]),
        helper.make_node("Cast", [names[1]], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["found", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["sums"], keepdims=0),
    ]
    constants = {"table": table, "last": np.array([-1]), "tokens": np.array([1])}
    _write(folder / file, nodes, [(name, type, shape) for name in names], constants, ("batch", dim), **ends)


def word_tower(
    folder: Path, file: str = "text.onnx", *, features: int = 4, dim: int = DIM, **ends: Any
) -> None:
    """Features of words to their first numbers, as a unit row."""
    constants = {
        "weights": np.eye(features, dim, dtype=np.float32),
        "bias": np.full(dim, 0.01, dtype=np.float32),
    }
    nodes = [helper.make_node("Gemm", ["features", "weights", "bias"], ["sums"])]
    taken = [("features", TensorProto.FLOAT, ("batch", features))]
    _write(folder / file, nodes, taken, constants, ("batch", dim), **ends)


def _write(
    path: Path,
    nodes: list[Any],
    inputs: Sequence[tuple[str, int, Shape]],
    constants: dict[str, np.ndarray],
    shape: Shape,
    *,
    out_type: int = TensorProto.FLOAT,
    is_unit: bool = True,
    is_told: bool = True,
    outputs: int = 1,
) -> None:
    """Write the nodes, which end in "sums", and what makes unit rows of that. Without ``is_told`` nobody can
    tell the size of a row before it is there."""
    if not is_told:
        constants = {**constants, "all": np.ones(shape[1], dtype=bool)}
        nodes = [*nodes[:-1], helper.make_node("Gemm", nodes[-1].input, ["hidden"])]
        nodes.append(helper.make_node("Compress", ["hidden", "all"], ["sums"], axis=1))
        shape = ("batch", "size")
    nodes = [
        *nodes,
        helper.make_node("LpNormalization", ["sums"], ["rows"], axis=1, p=2)
        if is_unit
        else helper.make_node("Identity", ["sums"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["out0"], to=out_type),
    ]
    nodes += [helper.make_node("Identity", ["out0"], [f"out{n}"]) for n in range(1, outputs)]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(f"out{n}", out_type, shape) for n in range(outputs)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def tokenizer(folder: Path, vocabulary: Sequence[str] = VOCABULARY, unknown: str = "[UNK]") -> None:
    """``tokenizer.json``: words as they are, between ``[CLS]`` and ``[SEP]``."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    ids = {word: id_ for id_, word in enumerate(vocabulary)}
    made = Tokenizer(models.WordPiece(ids, unk_token=unknown))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens([word for word in ("[PAD]", "[CLS]", "[SEP]") if word in ids])
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(word, ids[word]) for word in ("[CLS]", "[SEP]")]
    )
    made.save(str(folder / "tokenizer.json"))


def words(folder: Path, **arrays: np.ndarray) -> None:
    """The files of word vectors, a unit vector for each word; ``arrays`` are others than usual."""
    parts: dict[str, Any] = {
        "vectors": np.eye(len(WORDS), dtype=np.float16),
        "weights": np.ones(len(WORDS), dtype=np.float32),
        "component": np.zeros(len(WORDS), dtype=np.float32),
    }
    parts |= arrays
    (folder / WORD_LIST).write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    np.save(folder / WORD_VECTORS, parts["vectors"])
    np.savez(folder / SIF, weights=parts["weights"], component=parts["component"])


def calibration(folder: Path, **arrays: np.ndarray) -> None:
    """``calibration.npz``, under which a score of 0.5 is even; ``arrays`` are others than usual."""
    Calibration(axes(DIM), {"text_to_images": line()}).save(folder)
    with np.load(folder / "calibration.npz") as file:
        parts = {**file}
    np.savez(
        folder / "calibration.npz", **{**parts, **{name.replace("__", "/"): a for name, a in arrays.items()}}
    )
