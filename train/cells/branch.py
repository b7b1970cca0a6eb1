"""The branch from the cells of a grid to unit vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CellBranch(nn.Module):
    """Layers from the features of a grid to unit vectors.

    Maps (N, C, h, w) to (N, h, w, D). Each cell is first mixed with its eight neighbours, channel by channel
    (a depthwise convolution), then FC → ReLU → FC → L2. Features are divided by ``scale``, their root mean
    square.
    """

    scale: Tensor

    def __init__(self, features: int, hidden: int, dim: int, *, dropout: float, scale: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(float(scale)))
        self.mix = nn.Conv2d(features, features, 3, padding=1, groups=features)
        self.layers = nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim)
        )
        with torch.no_grad():  # begins as a smoothing filter
            smooth = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
            self.mix.weight.copy_(smooth.expand_as(self.mix.weight))
            assert self.mix.bias is not None
            self.mix.bias.zero_()

    def forward(self, grid: Tensor) -> Tensor:
        mixed = self.mix(grid / self.scale)  # (N, C, h, w)
        cells = self.layers(mixed.permute(0, 2, 3, 1))  # (N, h, w, D)
        return functional.normalize(cells.float(), dim=3)
