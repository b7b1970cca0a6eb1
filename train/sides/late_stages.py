"""A backbone in two parts: a frozen stem and tuned late stages.

The recipe chooses the cut (`Cut`). At "sixteenth" the grid reaches a sixteenth of the photo's side. There the
stem of EfficientNet-Lite2 is about half of a forward pass in ONNX Runtime and holds 2% of the weights. It
detects edges and textures, which are needed alike for ImageNet's photos and for those of a corpus. "last
grid" is behind the block that reaches a thirty-second. There the late stages are a third of that work and
hold 70% of the weights, and a photo's activations take 42 KB instead of 154.

Batch norm keeps the statistics of ImageNet and is folded into the convolutions. A small batch of similar
photos cannot shift the statistics, and training does not pay for computing them. Depthwise kernels are frozen
too: they are 5% of the late weights, and their gradient takes most of PyTorch's time on a CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from twobranch.embedding.backbones import Backbone
from twobranch.train.presets import Cut

CHUNK = 64  # photos at a time: their activations stay in cache, which halves the time of a batch of 256


class Stem(nn.Module):
    """The frozen first part of a backbone.

    It maps (N, S, S, 3) uint8 RGB pixels to (N, C, h, w) float32 activations, the input of the late stages.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: nn.Sequential, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2).float()
        return self.layers((images - self.mean) / self.std)


class LateStages(nn.Module):
    """The tuned second part of a backbone.

    It maps (N, C, h, w) activations of the stem to (N, T, C') cells, row by row. T is h/2 x w/2, each
    rounded up.
    """

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers.to(memory_format=torch.channels_last)

    def forward(self, activations: Tensor) -> Tensor:
        grid = self.layers(activations)  # (N, C', h/2, w/2)
        return grid.flatten(2).transpose(1, 2)

    def in_chunks(self, activations: Tensor) -> Tensor:
        """Run ``forward`` on a large batch, in chunks."""
        chunks = activations.contiguous(memory_format=torch.channels_last).split(CHUNK)
        return torch.cat([self(chunk) for chunk in chunks])


def split_backbone(
    backbone: Backbone, cut: Cut = "sixteenth", tuned: Mapping[str, Tensor] | None = None
) -> tuple[Stem, LateStages]:
    """Split a backbone into a frozen stem and late stages.

    Together they compute the same function as the backbone. ``tuned`` are weights of late stages from an
    earlier run (cut at "sixteenth"); they replace the backbone's own. Raises ``ValueError`` for a cut that
    the backbone does not have.
    """
    if backbone.name.startswith("efficientnet-lite"):
        stem, late = _split_lite(backbone.grid.network)
    else:
        stem, late = _split_resnet(backbone.grid)
    if tuned is not None:
        nn.ModuleDict({"layers": late}).load_state_dict(dict(tuned))
    if cut == "last grid":
        if not backbone.name.startswith("efficientnet-lite"):
            raise ValueError(f"{backbone.name} can be cut at a sixteenth only, not at {cut!r}")
        # Both are plain sequences; the block with the last stride of 2 ends the stem.
        last = max(i for i, layer in enumerate(late) if isinstance(layer, _LiteBlock) and layer.halves)
        stem, late = nn.Sequential(*stem, *late[: last + 1]), late[last + 1 :]
    return Stem(stem, backbone.mean, backbone.std).eval().requires_grad_(False), LateStages(late)


def _split_lite(network: Any) -> tuple[nn.Sequential, nn.Sequential]:
    blocks = list(network._blocks)
    # Strides of 2 in the blocks, after the first convolution's: 1/4, 1/8, 1/16.
    halving = [number for number, block in enumerate(blocks) if _stride(block) == 2]
    cut = halving[2]
    stem = nn.Sequential(_fold(network._conv_stem, network._bn0), nn.ReLU6(), *map(_LiteBlock, blocks[:cut]))
    late = nn.Sequential(*map(_LiteBlock, blocks[cut:]), _fold(network._conv_head, network._bn1), nn.ReLU6())
    return stem, late


def _split_resnet(grid: Any) -> tuple[nn.Sequential, nn.Sequential]:
    """Split a ResNet50 without pooling and classifier.

    Its layers are conv, batch norm, ReLU, max pool and four stages; the stem ends after the second stage.
    """
    return grid[:6], _FrozenNorms(*copy.deepcopy(grid[6:]))


class _FrozenNorms(nn.Sequential):
    """Layers whose batch norms keep their statistics in training."""

    def train(self, mode: bool = True) -> _FrozenNorms:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


class _LiteBlock(nn.Module):
    """An inverted bottleneck of EfficientNet-Lite, batch norm folded: widen, depthwise, narrow."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        has_expansion = block._block_args.expand_ratio != 1
        self.expand = _fold(block._expand_conv, block._bn0) if has_expansion else None
        self.depthwise = _fold(block._depthwise_conv, block._bn1)
        convolution = self.depthwise[-1]
        convolution.requires_grad_(False)
        self.project = _fold(block._project_conv, block._bn2)
        same_size = block._block_args.input_filters == block._block_args.output_filters
        self.halves = _stride(block) == 2  # the side of the grid
        self.skips = bool(block.id_skip) and not self.halves and same_size

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else functional.relu6(self.expand(x))
        if self.training:
            wide = functional.relu6(_depthwise(self.depthwise[0](wide), self.depthwise[1]))
        else:
            wide = functional.relu6(self.depthwise(wide))
        narrow = self.project(wide)
        return x + narrow if self.skips else narrow


def _stride(block: Any) -> int:
    stride = block._block_args.stride
    return stride if isinstance(stride, int) else stride[0]


def _fold(convolution: Any, norm: nn.BatchNorm2d) -> nn.Sequential:
    """Fold a batch norm into the padded convolution before it."""
    plain = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,
        convolution.stride,
        groups=convolution.groups,
        bias=False,
    )
    plain.load_state_dict({"weight": convolution.weight})
    padding = convolution.static_padding
    if isinstance(padding, nn.ZeroPad2d) and len(set(padding.padding)) == 1:
        # The convolution's own padding saves a copy. TensorFlow's "same" padding can be asymmetric; that
        # needs a layer.
        plain.padding, padding = (padding.padding[0],) * 2, nn.Identity()
    return nn.Sequential(padding, fuse_conv_bn_eval(plain.eval(), norm.eval()))


def _depthwise(x: Tensor, convolution: nn.Module) -> Tensor:
    """Apply a depthwise convolution from ``_fold`` with a fast backward pass.

    (N, C, h, w) become (N, C, h', w').
    """
    assert isinstance(convolution, nn.Conv2d)
    weight, bias = convolution.weight.to(x.dtype), convolution.bias
    assert bias is not None  # folding leaves one
    padding = convolution.padding[0]
    assert isinstance(padding, int)
    return _FrozenDepthwise.apply(x, weight, bias.to(x.dtype), convolution.stride[0], padding)


class _FrozenDepthwise(torch.autograd.Function):
    """A depthwise convolution whose kernel is not trained.

    The gradient for its input is itself a depthwise convolution, with the kernel rotated and the strides
    filled with zeros. With PyTorch's general backward pass for depthwise convolutions the late stages of
    EfficientNet-Lite2 took 34 ms a photo backwards in bfloat16, on two cores with AMX. With this one they
    take 8.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding, ctx.side = stride, padding, x.shape[2:]
        return functional.conv2d(x, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (weight,), (gradient,), stride = ctx.saved_tensors, gradients, ctx.stride
        kernel = weight.shape[2]
        height, width = (stride * (n - 1) + 1 for n in gradient.shape[2:])
        spread = gradient.new_zeros((*gradient.shape[:2], height, width))
        spread = spread.contiguous(memory_format=torch.channels_last)
        spread[:, :, ::stride, ::stride] = gradient
        # Rows and columns at the end that no stride reached have gradient zero.
        below, right = (side + 2 * ctx.padding - kernel + 1 for side in ctx.side)
        below, right = below - height, right - width
        edge = kernel - 1 - ctx.padding
        spread = functional.pad(spread, (edge, edge + right, edge, edge + below))
        turned = weight.flip(2, 3).contiguous()
        return functional.conv2d(spread, turned, groups=len(weight)), None, None, None, None
