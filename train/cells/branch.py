"""The branch from the cells of a grid to unit vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CellBranch(nn.Module):
    """Layers from the features of a grid to unit vectors.

    Maps (N, C, h, w) to (N, h, w, D). Each cell is first mixed with its eight neighbours by a fixed smoothing
    filter, then FC → ReLU → FC → L2. A filter that is trained, one for each channel, takes twice the time.
    Features are divided by ``scale``, their root mean square.
    """

    scale: Tensor
    kernel: Tensor

    def __init__(self, features: int, hidden: int, dim: int, *, dropout: float, scale: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(float(scale)))
        smooth = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
        self.register_buffer("kernel", smooth.expand(features, 1, 3, 3).clone())
        self.layers = nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim)
        )

    def forward(self, grid: Tensor) -> Tensor:
        edged = functional.pad(grid / self.scale, (1, 1, 1, 1), mode="replicate")
        mixed = functional.conv2d(edged, self.kernel, groups=grid.shape[1])  # (N, C, h, w)
        cells = self.layers(mixed.permute(0, 2, 3, 1))  # (N, h, w, D)
        return functional.normalize(cells.float(), dim=3)
