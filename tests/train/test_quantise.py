"""The image tower in 8 bits: nearly the same vectors, and nothing that depends on the batch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from twobranch.train.output.export import write_onnx
from twobranch.train.output.quantise import write_int8_tower

SIDE = 16


class Tower(nn.Module):
    """Two convolutions, a mean and a branch, as in an image tower."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, stride=2)
        self.second = nn.Conv2d(16, 32, 3)
        self.branch = nn.Linear(32, 8)

    def forward(self, pixels: Tensor) -> Tensor:
        grid = self.first((pixels.permute(0, 3, 1, 2).float() - 127) / 128).clamp(0, 6)
        return nn.functional.normalize(self.branch(self.second(grid).clamp(0, 6).mean((2, 3))), dim=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with both towers, and the photos that the second was made with."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    example = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    write_onnx(
        Tower().eval(),
        [example],
        folder / "image.onnx",
        inputs=["pixels"],
        outputs=["embeddings"],
        dynamic=[["batch"]],
    )
    rng = np.random.default_rng(0)
    photos = [folder / f"{n}.png" for n in range(20)]
    for photo in photos:
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(photo)
    assert list(write_int8_tower(folder, photos, SIDE)) == ["image-int8.onnx"]
    return folder


def encode(tower: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(tower), providers=["CPUExecutionProvider"])
    return session.run(None, {"pixels": pixels})[0]


def test_vectors_are_nearly_the_same(folder: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, SIDE, SIDE, 3), dtype=np.uint8)
    float_, int8 = encode(folder / "image.onnx", pixels), encode(folder / "image-int8.onnx", pixels)
    assert np.linalg.norm(int8, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    # 8 bits round by up to 1/512 of the range in each of two layers, and errors of pixels average out.
    assert (float_ * int8).sum(axis=1).min() > 0.999
    assert (float_ != int8).any()


def test_a_vector_does_not_depend_on_the_batch(folder: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)
    together = encode(folder / "image-int8.onnx", pixels)
    alone = np.concatenate([encode(folder / "image-int8.onnx", photo[None]) for photo in pixels])
    assert np.abs(together - alone).max() < 1e-6


def test_the_tower_names_no_file_of_the_machine_it_was_made_on(folder: Path) -> None:
    content = (folder / "image-int8.onnx").read_bytes()
    assert not re.search(rb"\.py\b", content)
    assert str(folder).encode() not in content
