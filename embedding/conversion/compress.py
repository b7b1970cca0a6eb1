"""Smaller towers that give the same vectors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ModelError
from twobranch.embedding.conversion.storage import EXTERNAL_SUFFIX, store_float16, store_int8
from twobranch.embedding.model_folder import IMAGE_TOWER, TEXT_TOWER, TOKENIZER, first_line
from twobranch.embedding.text_inputs import TokensInput

Rows = Callable[[], NDArray[np.float32]]

FLOAT16_COSINE = 0.999  # least cosine of a vector with that of the float32 tower
INT8_COSINE = 0.99
SAMPLE_TEXTS = (
    "a dog",
    "two children play football on a green field",
    "a cup of coffee and a newspaper on a wooden table by the window",
    "red car",
    "mountains at sunset, with a lake in front of them",
    "people at a birthday party",
)


def sample_pixels(size: int) -> NDArray[np.uint8]:
    """Draw six pictures, from a plain one to fine noise.

    Returns (6, size, size, 3) RGB.
    """
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, size).astype(np.uint8)
    across = np.broadcast_to(ramp[None, :, None], (size, size, 3))
    down = np.broadcast_to(ramp[:, None, None], (size, size, 3))
    pictures = [np.full((size, size, 3), 128, dtype=np.uint8), across, 255 - down]
    for cells in (3, 12, size):
        coarse = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        rows = np.arange(size) * cells // size
        pictures.append(coarse[rows][:, rows])
    return np.stack(pictures)


def compress(path: Path, rows: Rows, *, int8: bool = False) -> float:
    """Store a tower's weights in half of the space.

    With ``int8`` they get a quarter of it.

    ``rows`` computes some vectors with the file as it is then. If their cosine with those before is too
    small, the next larger form is kept, in the end the file as it was. Returns the least cosine of the kept
    form.
    """
    before = rows()
    tries: Sequence[tuple[Callable[[Path], None], float]] = [(store_float16, FLOAT16_COSINE)]
    if int8:
        tries = [(_int8_then_float16, INT8_COSINE), *tries]
    kept = path.with_suffix(".kept")
    for store, least in tries:
        _copy(path, kept)
        store(path)
        cosine = least_cosine(before, rows())
        if cosine >= least:
            _remove(kept)
            return cosine
        _copy(kept, path)
        _remove(kept)
    return 1.0


def compress_towers(folder: Path, size: int, texts: TokensInput) -> dict[str, str]:
    """Compress both towers in a folder.

    Weights are stored in float16, those of the text tower in int8.

    Returns the least cosines with the vectors before, for the model's card. Raises ``ModelError`` for towers
    that do not run.
    """
    _check_vocabulary(folder, texts)
    images = {"pixels": sample_pixels(size)}
    sentences = texts.inputs(SAMPLE_TEXTS)
    cosines = {
        IMAGE_TOWER: compress(folder / IMAGE_TOWER, lambda: unit_rows(folder / IMAGE_TOWER, images)),
        TEXT_TOWER: compress(
            folder / TEXT_TOWER, lambda: unit_rows(folder / TEXT_TOWER, sentences), int8=True
        ),
    }
    return {f"cosine of {name} with the original": f"{cosine:.5f}" for name, cosine in cosines.items()}


def _check_vocabulary(folder: Path, texts: TokensInput) -> None:
    """Raise ``ModelError`` if the tokenizer has more tokens than the text tower.

    Then they belong to two models. (A tokenizer with fewer tokens than the tower is not noticed.)
    """
    try:
        unit_rows(folder / TEXT_TOWER, texts.last_token())
    except ModelError as error:
        raise ModelError(
            f"{TOKENIZER}: has more tokens than the text tower, so it is another model's tokenizer; copy the "
            f"whole folder again ({error})"
        ) from None


def unit_rows(tower: Path, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Run a tower of ours on N inputs, one by one.

    Returns (N, D) float32, unit rows. Raises ``ModelError`` for a tower that does not run.
    """
    import onnxruntime

    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(tower), options, providers=["CPUExecutionProvider"])
        n = len(next(iter(inputs.values())))
        single = ({name: array[row : row + 1] for name, array in inputs.items()} for row in range(n))
        return np.concatenate([session.run(None, one)[0] for one in single])
    except Exception as error:  # onnxruntime's own exception types share no public base
        raise ModelError(f"{tower.name}: this tower does not run ({first_line(error)})") from None


def least_cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the least cosine of pairs of unit rows."""
    return float(np.einsum("ij,ij->i", first, second).min())


def _int8_then_float16(path: Path) -> None:
    store_int8(path)
    store_float16(path)


def _copy(source: Path, target: Path) -> None:
    """Copy a tower, and its weights if they have a file."""
    shutil.copyfile(source, target)
    weights = Path(f"{source}{EXTERNAL_SUFFIX}")
    if weights.is_file():
        shutil.copyfile(weights, f"{target}{EXTERNAL_SUFFIX}")
    else:
        Path(f"{target}{EXTERNAL_SUFFIX}").unlink(missing_ok=True)


def _remove(path: Path) -> None:
    path.unlink()
    Path(f"{path}{EXTERNAL_SUFFIX}").unlink(missing_ok=True)
