"""The 8-bit image tower of a converted model.

It is for vision transformers, and for hybrids with convolutions.

Matrices are quantised dynamically: weights once, activations in each run, with the scale of what a layer is
given. Of the ways that were measured (benchmarks/towers.md) this one is the fastest, the closest to float32,
and needs no photos. Convolutions are quantised statically, with scales from some photos, because ONNX
Runtime has no fast dynamic ones. Grouped convolutions stay in float32: in 8 bits they are slower. So does the
first convolution, which sees the pixels.

A scale that is found in each run would be that of a whole batch, and a photo's vector would depend on the
photos beside it. Therefore the file takes one photo at a time, which costs no time: `index` runs it on a
photo for each core.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from twobranch.common.atomic import replacing
from twobranch.common.errors import ModelError
from twobranch.embedding.conversion.compress import INT8_COSINE, least_cosine, unit_rows
from twobranch.embedding.model_folder import IMAGE_TOWER, IMAGE_TOWER_INT8, first_line

_MATRICES = ("MatMul", "Gemm")
_PIXELS = "pixels"  # the input of an image tower


@dataclass(frozen=True)
class Agreement:
    """The agreement of an 8-bit tower with the float32 one."""

    cosine: float  # the least of all photos
    left_out: int  # matrices that stayed in float32 to reach it


def write_int8_tower(folder: Path, pixels: NDArray[np.uint8]) -> Agreement:
    """Write ``image-int8.onnx`` beside the ``image.onnx`` of a folder.

    ``pixels`` is (N, S, S, 3) uint8 RGB, some photos as ``load_photo`` gives them: convolutions get their
    scales from them, and the vectors of the two towers are compared on them. The matrices that end the MLPs,
    whose inputs have the widest range, stay in float32 if that is needed. Raises ``ModelError`` and writes
    nothing if a cosine is below ``INT8_COSINE`` even so, or if the tower cannot be quantised at all.
    """
    with tempfile.TemporaryDirectory() as temporary, _quiet():
        try:
            agreement, written = _closest(folder / IMAGE_TOWER, pixels, Path(temporary))
        except Exception as error:  # whatever the quantiser meets in a graph that it does not know
            raise ModelError(
                f"{IMAGE_TOWER}: cannot be computed in 8 bits ({first_line(error)}); the model goes "
                f"without {IMAGE_TOWER_INT8}"
            ) from None
        if not agreement.cosine >= INT8_COSINE:  # also true for NaN
            raise ModelError(
                f"{IMAGE_TOWER}: in 8 bits a photo's vector has a cosine of {agreement.cosine:.3f} "
                f"with the one in float32, below {INT8_COSINE}; the model goes without {IMAGE_TOWER_INT8}"
            )
        with replacing(folder / IMAGE_TOWER_INT8) as partial:
            shutil.copyfile(written, partial)
    return agreement


def _closest(tower: Path, pixels: NDArray[np.uint8], temporary: Path) -> tuple[Agreement, Path]:
    """Quantise a tower.

    Returns the first form that agrees well enough, else the last, and its file.
    """
    expected = unit_rows(tower, {_PIXELS: pixels})
    folded, written = temporary / "folded.onnx", temporary / IMAGE_TOWER_INT8
    _fold(tower, folded)
    with_convolutions = _quantise_convolutions(folded, pixels)
    agreement = Agreement(0, 0)
    for left_out in ([], _contractions(folded)):
        onnx.save(_quantise_matrices(with_convolutions, left_out), written)
        cosine = least_cosine(expected, unit_rows(written, {_PIXELS: pixels}))
        agreement = Agreement(cosine, len(left_out))
        if cosine >= INT8_COSINE:
            break
    return agreement, written


def _fold(tower: Path, folded: Path) -> None:
    """Write the tower for one photo, with its constants computed.

    Weights are stored in float16 with casts at times, and the exporter computes shapes in the graph.
    """
    model = onnx.load(tower)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]  # of any number of photos
    onnx.save(model, folded)
    options = _options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(str(folded), options, providers=["CPUExecutionProvider"])
    model = onnx.load(folded)
    for number, node in enumerate(model.graph.node):
        node.name = f"{number}"  # the quantiser tells nodes apart by their names, which not all have
    versions = {
        one.domain: one.version for one in model.opset_import
    }  # graphs that were joined have two of one
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*one) for one in versions.items())
    onnx.save(model, folded)


def _quantise_convolutions(folded: Path, pixels: NDArray[np.uint8]) -> Path:
    """Quantise the dense convolutions but the first. Returns the file, which is ``folded`` if it has none."""
    convolutions = [node for node in onnx.load(folded).graph.node if node.op_type == "Conv"]
    dense = [node.name for node in convolutions[1:] if _attribute(node, "group", 1) == 1]
    if not dense:
        return folded
    quantised = folded.with_name("convolutions.onnx")
    quantize_static(
        folded,
        quantised,
        _Pixels(pixels),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_quantize=dense,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    return quantised


def _quantise_matrices(tower: Path, left_out: Collection[str]) -> onnx.ModelProto:
    """Quantise products with constant matrices, except in the nodes named ``left_out``."""
    quantised = tower.with_name("matrices.onnx")
    quantize_dynamic(
        tower,
        quantised,
        op_types_to_quantize=list(_MATRICES),
        per_channel=True,  # a twentieth slower, and far closer with trained weights (benchmarks/towers.md)
        weight_type=QuantType.QInt8,
        nodes_to_exclude=list(left_out),
    )
    return onnx.load(quantised)


def _contractions(folded: Path) -> Sequence[str]:
    """Return the names of products that at least halve a vector."""
    graph = onnx.load(folded).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer if len(tensor.dims) == 2}
    names = []
    for node in graph.node:
        if node.op_type in _MATRICES and node.input[1] in shapes:
            rows, columns = shapes[node.input[1]]
            if _attribute(node, "transB", 0):
                rows, columns = columns, rows
            if rows >= 2 * columns:
                names.append(node.name)
    return names


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


class _Pixels(CalibrationDataReader):  # type: ignore[misc]
    """Photos one by one, as inputs of the tower."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._photos: Iterator[NDArray[np.uint8]] = iter(pixels)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        photo = next(self._photos, None)
        return None if photo is None else {_PIXELS: photo[None]}


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are also raised
    options.enable_mem_pattern = False
    return options


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser, which recommends preprocessing that is already done."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
