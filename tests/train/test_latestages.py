"""A backbone cut in two is still the same function, and its shortcut gradient is the right one."""

from __future__ import annotations

import pytest
import torch
import torchvision

from twobranch.embedding.backbones import _TORCHVISION, Backbone, load_backbone
from twobranch.train.sides.late_stages import _FrozenDepthwise, split_backbone


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_stem_and_late_stages_are_the_backbone(name: str) -> None:
    backbone = load_backbone(name)
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (2, backbone.size, backbone.size, 3), dtype=torch.uint8)
    stem, late = split_backbone(backbone)
    with torch.no_grad():
        whole = backbone(pixels)
        activations = stem(pixels)
        assert activations.shape[2] == -(-backbone.size // 8)  # an eighth of the side, rounded up
        # Folding batch norm changes the order of additions, nothing more.
        torch.testing.assert_close(late.eval()(activations).mean(dim=1), whole, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(late.train()(activations).mean(dim=1), whole, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(late.in_chunks(activations), late(activations))


def test_resnet_is_cut_where_its_cells_are_an_eighth_of_the_side() -> None:
    torch.manual_seed(0)
    network = torchvision.models.resnet50().eval()
    grid = torch.nn.Sequential(*list(network.children())[:-2])
    backbone = Backbone("resnet50", grid, network.fc, 64, 2048, _TORCHVISION).eval()
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    stem, late = split_backbone(backbone)
    with torch.no_grad():
        activations = stem(pixels)
        assert activations.shape == (2, 512, 8, 8)
        # In training too: batch norm keeps ImageNet's statistics.
        torch.testing.assert_close(late.train()(activations).mean(dim=1), backbone(pixels))


def test_the_last_grid_is_a_cut_further_down_the_same_function() -> None:
    backbone = load_backbone("efficientnet-lite0")
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    stem, late = split_backbone(backbone, "last grid")
    with torch.no_grad():
        activations = stem(pixels)
        assert activations.shape == (2, 192, 2, 2)  # a thirty-second of 64
        torch.testing.assert_close(
            late.eval()(activations).mean(dim=1), backbone(pixels), atol=1e-4, rtol=1e-4
        )


def test_weights_that_were_tuned_before_take_the_place_of_the_backbones_own() -> None:
    backbone = load_backbone("efficientnet-lite0")
    _, late = split_backbone(backbone)
    with torch.no_grad():
        for weight in late.parameters():
            weight.mul_(0.9)
    pixels = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        stem, _ = split_backbone(backbone)
        expected = late.eval()(stem(pixels))
        # The second half of the tuned stages moved into the stem.
        deeper, last = split_backbone(backbone, "last grid", late.state_dict())
        torch.testing.assert_close(last.eval()(deeper(pixels)), expected)


def test_the_stem_and_depthwise_kernels_are_frozen() -> None:
    stem, late = split_backbone(load_backbone("efficientnet-lite0"))
    assert not any(parameter.requires_grad for parameter in stem.parameters())
    frozen = [p for p in late.parameters() if p.ndim == 4 and not p.requires_grad]
    assert frozen and all(p.shape[1] == 1 for p in frozen)


# Odd and even sides: with a stride of 2 the last row may be one that no output saw.
@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize(
    ("stride", "kernel", "padding"), [(1, 3, 1), (1, 5, 2), (2, 3, 0), (2, 5, 2), (2, 5, 0)]
)
def test_the_depthwise_gradient_is_that_of_finite_differences(
    side: int, stride: int, kernel: int, padding: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, side, side, dtype=torch.double, requires_grad=True)
    weight = torch.randn(3, 1, kernel, kernel, dtype=torch.double)
    bias = torch.randn(3, dtype=torch.double)
    assert torch.autograd.gradcheck(lambda x: _FrozenDepthwise.apply(x, weight, bias, stride, padding), x)
