"""The image tower in 8-bit arithmetic, for processors that support it.

    python -m twobranch.train.output.quantise MODEL --captions FILE --images DIR

Static quantisation (Jacob et al., *Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference*, 2018): weights get 8 bits with a scale for each output channel,
activations 8 bits with a scale for each tensor, from its least and greatest value over some training photos.
The scales are fixed, so a photo's vector does not depend on other photos. The branch stays in float32, since
it takes almost no time.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.conversion.storage import forget_source
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import (
    IMAGE_TOWER,
    IMAGE_TOWER_INT8,
    RSUM_INT8,
    ModelConfig,
    Variant,
    sha256_file,
    write_config,
)
from twobranch.embedding.preprocess import load_photo
from twobranch.train.data import CaptionedPhotos
from twobranch.train.metrics import dev_metrics, first_source
from twobranch.train.output.card import write_card
from twobranch.train.output.finished import run_on_model

_CALIBRATION_PHOTOS = 128
_QUANTISED = ("Conv", "Clip", "Add")


def write_int8_tower(folder: Path, photos: Sequence[Path], size: int) -> dict[str, str]:
    """Write ``image-int8.onnx``, and return its entry in ``config.json``."""
    chosen = [
        photos[i] for i in np.linspace(0, len(photos) - 1, min(_CALIBRATION_PHOTOS, len(photos)), dtype=int)
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folded, quantised = Path(temporary, "folded.onnx"), Path(temporary, "int8.onnx")
        _fold_casts(folder / IMAGE_TOWER, folded)
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it recommends preprocessing that is already done
        try:
            quantize_static(
                folded,
                quantised,
                _Photos(chosen, size),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_QUANTISED),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        finally:
            logging.disable(level)
        model = onnx.load(quantised)
    forget_source(model)
    onnx.save(model, folder / IMAGE_TOWER_INT8)
    return {IMAGE_TOWER_INT8: sha256_file(folder / IMAGE_TOWER_INT8)}


def int8_rsum(
    folder: Path, config: ModelConfig, dev: CaptionedPhotos, texts: NDArray[np.float32]
) -> dict[str, float]:
    """Return the dev rsum with the int8 tower.

    The result is an entry of ``config.dev``. ``texts`` are the (C, D) vectors of the dev captions.
    """
    encoder = Encoder(folder, config, variant=Variant(int8=True))
    dev, _, rows = first_source(dev)
    return {RSUM_INT8: dev_metrics(encoder.encode_images(dev.photos), texts[rows], dev)["rsum"]}


class _Photos(CalibrationDataReader):  # type: ignore[misc]
    """Training photos one by one, as inputs of the tower."""

    def __init__(self, photos: Sequence[Path], size: int) -> None:
        self._pixels: Iterator[NDArray[np.uint8]] = (load_photo(photo, size).pixels[None] for photo in photos)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        pixels = next(self._pixels, None)
        return None if pixels is None else {"pixels": pixels}


def _fold_casts(tower: Path, folded: Path) -> None:
    """Write the tower to ``folded`` with float32 weights.

    It is stored with float16 weights and casts.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(str(tower), options, providers=["CPUExecutionProvider"])


def quantise(
    model: str, train: CaptionedPhotos, dev: CaptionedPhotos, *, seed: int, progress: Progress = SILENT
) -> Path:
    """Rewrite the int8 tower of a model folder, and return the folder.

    The other vectors of the model do not change; ``seed`` is not used. Raises ``ModelError``.
    """
    encoder = Encoder.load(model, verify=True)
    folder, config = encoder.folder, encoder.config
    files = write_int8_tower(folder, train.photos, config.image_size)
    config = replace(config, files=dict(sorted({**config.files, **files}.items())))
    progress.note(f"encoding {len(dev.photos):,} dev photos")
    rsum = int8_rsum(folder, config, dev, encoder.encode_texts(dev.texts))
    config = replace(config, dev={**config.dev, **rsum})
    write_card(folder, config)
    write_config(folder, config)
    return folder


if __name__ == "__main__":
    run_on_model("twobranch.train.output.quantise", quantise, IMAGE_TOWER_INT8)
