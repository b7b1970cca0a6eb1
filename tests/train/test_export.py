"""What storing weights small costs, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twobranch.embedding.conversion.storage import store_float16, store_int8
from twobranch.train.output.export import write_onnx


class Words(nn.Module):
    """A table, a matrix product in either layout, as in a sentence encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(200, 64)
        self.linear = nn.Linear(64, 48)
        self.matrix = nn.Parameter(torch.randn(48, 32))

    def forward(self, ids: Tensor) -> Tensor:
        return self.linear(self.table(ids)) @ self.matrix  # (N, T) -> (N, T, 32)


@pytest.fixture
def words(tmp_path: Path) -> tuple[Words, Path]:
    torch.manual_seed(0)
    module, path = Words(), tmp_path / "words.onnx"
    example = torch.zeros(2, 3, dtype=torch.int64)
    write_onnx(module, [example], path, inputs=["ids"], outputs=["out"], dynamic=[["batch", "tokens"]])
    return module, path


def outputs(module: Words, path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """PyTorch's and ONNX Runtime's, for a batch and length unlike those of the export."""
    ids = torch.randint(0, 200, (5, 7), generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        return module(ids).numpy(), session.run(None, {"ids": ids.numpy()})[0]


def test_export_keeps_the_function(words: tuple[Words, Path]) -> None:
    expected, actual = outputs(*words)
    assert np.abs(actual - expected).max() < 1e-4


def test_a_tower_names_no_file_of_the_machine_it_was_made_on(words: tuple[Words, Path]) -> None:
    content = words[1].read_bytes()
    assert b".py" not in content
    assert str(Path(__file__).parent).encode() not in content


@pytest.mark.parametrize(("store", "ratio", "error"), [(store_float16, 0.55, 2e-3), (store_int8, 0.35, 3e-2)])
def test_stored_small_the_file_shrinks_and_the_function_stays(
    words: tuple[Words, Path], store: object, ratio: float, error: float
) -> None:
    module, path = words
    before = path.stat().st_size
    store(path)  # type: ignore[operator]
    onnx.checker.check_model(onnx.load(path))
    assert path.stat().st_size < ratio * before
    expected, actual = outputs(module, path)
    # float16 rounds to 11 bits, int8 to 7 and a sign: errors of that order, relative to the outputs
    assert np.abs(actual - expected).max() < error * np.abs(expected).max()


def test_int8_does_not_look_at_the_batch(words: tuple[Words, Path]) -> None:
    _, path = words
    store_int8(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ids = np.arange(12, dtype=np.int64).reshape(4, 3)
    together = session.run(None, {"ids": ids})[0]
    alone = session.run(None, {"ids": ids[2:3]})[0]
    assert np.abs(together[2:3] - alone).max() < 1e-5
