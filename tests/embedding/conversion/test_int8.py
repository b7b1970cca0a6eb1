"""8-bit towers of small networks made by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from twobranch.common.errors import ModelError  # noqa: E402
from twobranch.embedding.conversion.compress import sample_pixels  # noqa: E402
from twobranch.embedding.conversion.int8 import write_int8_tower  # noqa: E402
from twobranch.embedding.tower import Input, Tower  # noqa: E402

SIZE, DIM = 8, 4
FLAT = SIZE * SIZE * 3
HIDDEN = 128  # more than half of that: only the second matrix is a contraction
PHOTOS = sample_pixels(SIZE)
RNG = np.random.default_rng(0)


def matrix(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(shape[0]))


def write_tower(folder: Path, nodes: Sequence[Any], weights: Mapping[str, NDArray[Any]]) -> None:
    """Write pixels → ``x`` in 0…1 → ``nodes`` → ``y``, scaled to unit length."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "scale"], ["x"]),
        *nodes,
        helper.make_node("ReduceL2", ["y", "last"], ["length"], keepdims=1),
        helper.make_node("Div", ["y", "length"], ["rows"]),
    ]
    weights = {"scale": np.float32(1 / 255), "last": np.array([1]), **weights}
    graph = helper.make_graph(
        nodes,
        "tower",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", DIM])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "image.onnx")


def write_mlp(folder: Path, bias: float = 0.0, *, hidden: float = 0.0) -> None:
    """A network of two matrices.

    ``bias`` is added to one input of the first, ``hidden`` to one of the second. The matrices have zeros for
    these inputs: in float32 they change nothing.
    """
    first, second = matrix(FLAT, HIDDEN), matrix(HIDDEN, DIM)
    first[0], second[0], first[:, 0] = 0, 0, 0
    one_input, one_hidden = np.zeros(FLAT, np.float32), np.zeros(HIDDEN, np.float32)
    one_input[0], one_hidden[0] = bias, hidden
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Add", ["flat", "bias"], ["given"]),
        helper.make_node("MatMul", ["given", "first"], ["h"]),
        helper.make_node("Relu", ["h"], ["positive"]),
        helper.make_node("Add", ["positive", "hidden"], ["g"]),
        helper.make_node("MatMul", ["g", "second"], ["y"]),
    ]
    weights = {"first": first, "second": second, "bias": one_input, "hidden": one_hidden}
    write_tower(folder, nodes, weights)


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def load(folder: Path, name: str) -> Tower:
    return Tower(folder / name, [Input("pixels", "tensor(uint8)", (None, SIZE, SIZE, 3), "test")], DIM)


def test_matrices_are_multiplied_in_8_bits(tmp_path: Path) -> None:
    write_mlp(tmp_path)
    agreement = write_int8_tower(tmp_path, PHOTOS)
    assert (agreement.cosine > 0.999, agreement.left_out) == (True, 0)
    written = operators(tmp_path / "image-int8.onnx")
    assert (written["MatMulInteger"], written["MatMul"]) == (2, 0)
    plain, int8 = (load(tmp_path, name).run({"pixels": PHOTOS}) for name in ("image.onnx", "image-int8.onnx"))
    assert np.sum(plain * int8, axis=1).min() == pytest.approx(agreement.cosine, abs=1e-6)


def test_a_vector_does_not_depend_on_the_photos_beside_it(tmp_path: Path) -> None:
    """In one batch a dark photo would get the scale of the brightest one."""
    write_mlp(tmp_path)
    dark, bright = PHOTOS[:1] // 64, np.full((1, SIZE, SIZE, 3), 255, np.uint8)
    write_int8_tower(tmp_path, PHOTOS)
    tower = load(tmp_path, "image-int8.onnx")
    together = tower.run({"pixels": np.concatenate([dark, bright])})
    assert np.array_equal(together[:1], tower.run({"pixels": dark}))


def test_the_second_matrix_of_an_mlp_stays_in_float32_where_8_bits_are_too_few(tmp_path: Path) -> None:
    """One activation of 10,000 among some of about 1: in steps of 10,000 / 255 = 39 the others are all 0."""
    write_mlp(tmp_path, hidden=10_000)
    agreement = write_int8_tower(tmp_path, PHOTOS)
    assert (agreement.cosine > 0.999, agreement.left_out) == (True, 1)
    written = operators(tmp_path / "image-int8.onnx")
    assert written["MatMulInteger"] == 1


def test_a_tower_too_far_from_float32_is_not_kept(tmp_path: Path) -> None:
    write_mlp(tmp_path, bias=10_000)  # before the first matrix, which is never left out
    with pytest.raises(
        ModelError, match=r"image\.onnx: in 8 bits a photo's vector has a cosine of .* below 0\.99"
    ):
        write_int8_tower(tmp_path, PHOTOS)
    assert [file.name for file in tmp_path.iterdir()] == ["image.onnx"]


def test_dense_convolutions_but_the_first_are_in_8_bits(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "first"], ["a"]),
        helper.make_node("Conv", ["a", "grouped"], ["b"], group=8),
        helper.make_node("Conv", ["b", "dense"], ["c"]),
        helper.make_node("ReduceMean", ["c", "sides"], ["y"], keepdims=0),
    ]
    weights = {
        "first": matrix(8, 3, 3, 3),
        "grouped": matrix(8, 1, 3, 3),
        "dense": matrix(DIM, 8, 1, 1),
        "sides": np.array([2, 3]),
    }
    write_tower(tmp_path, nodes, weights)
    assert write_int8_tower(tmp_path, PHOTOS).cosine > 0.99
    graph = onnx.load(tmp_path / "image-int8.onnx").graph
    int8 = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.INT8}
    made = {node.output[0]: node for node in graph.node}
    in_8_bits = [
        node.op_type == "Conv" and node.input[1] in made and made[node.input[1]].input[0] in int8
        for node in graph.node
        if node.op_type == "Conv"
    ]
    assert in_8_bits == [False, False, True]


def test_a_graph_that_names_an_opset_twice(tmp_path: Path) -> None:
    """As one that was joined from two; ONNX Runtime's quantiser refuses it."""
    write_mlp(tmp_path)
    model = onnx.load(tmp_path / "image.onnx")
    model.opset_import.append(model.opset_import[0])
    onnx.save(model, tmp_path / "image.onnx")
    assert write_int8_tower(tmp_path, PHOTOS).cosine > 0.999


def test_a_graph_that_cannot_be_quantised_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "image.onnx").write_bytes(b"no graph")
    with pytest.raises(
        ModelError, match=r"^image\.onnx: cannot be computed in 8 bits \(.*\); the model goes"
    ):
        write_int8_tower(tmp_path, PHOTOS)


def test_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    """Its checksum is part of the fingerprint of vectors."""
    write_mlp(tmp_path)
    files = []
    for _ in range(2):
        write_int8_tower(tmp_path, PHOTOS)
        files.append((tmp_path / "image-int8.onnx").read_bytes())
    assert files[0] == files[1]
