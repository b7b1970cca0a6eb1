"""The two trained branches (torch; training only)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Branch(nn.Module):
    """(N, C) features to (N, D) unit rows.

    ``order="seed"``: FC → ReLU → FC → BatchNorm → L2, as in the system this grew from.
    ``order="paper"``: FC → BatchNorm → ReLU → Dropout → FC → L2, the embedding network of Wang et al.,
    TPAMI 2018, section 3.1, in the arrangement of the authors' code.
    """

    def __init__(self, features: int, hidden: int, dim: int, *, order: str, dropout: float = 0.0) -> None:
        super().__init__()
        if order == "seed":
            layers = [
                nn.Linear(features, hidden),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, dim),
                nn.BatchNorm1d(dim),
            ]
        elif order == "paper":
            layers = [
                nn.Linear(features, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, dim),
            ]
        else:
            raise ValueError(f"order is {order!r}, not 'seed' or 'paper'")
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return functional.normalize(self.layers(features), dim=1)  # (N, C) -> (N, D)


class ResidualBranch(nn.Module):
    """A small change to features, which stay in their space.

    (N, D) features to (N, D) unit rows: FC → ReLU → Dropout → FC, added to the features, → L2. The last layer
    is zero at first, so the untrained branch returns the directions of its features. As in CLIP-Adapter (Gao
    et al., *Better Vision-Language Models with Feature Adapters*, 2021), without its last ReLU, which would
    move features in positive directions only.
    """

    def __init__(self, dim: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim)
        )
        self.scale_change(0)

    def forward(self, features: Tensor) -> Tensor:
        return functional.normalize(features + self.layers(features), dim=1)  # (N, D) -> (N, D)

    def scale_change(self, weight: float) -> None:
        """Multiply what the branch adds to its features by ``weight``."""
        with torch.no_grad():
            for parameter in self.layers[-1].parameters():
                parameter.mul_(weight)


def new_branch(
    features: int, hidden: int, dim: int, *, order: str, dropout: float
) -> Branch | ResidualBranch:
    """Return an untrained branch. Raises ``ValueError`` for a residual one that changes the dimensions."""
    if order != "residual":
        return Branch(features, hidden, dim, order=order, dropout=dropout)
    if features != dim:
        raise ValueError(f"a residual branch of {features} features cannot give {dim} dimensions")
    return ResidualBranch(dim, hidden, dropout=dropout)


class TwoBranchNetwork(nn.Module):
    """An image branch and a text branch into one embedding space.

    The outputs are unit vectors. Features are divided by ``image_scale`` and ``text_scale`` first (their root
    mean square over the training set): with plain SGD the two branches would otherwise learn at rates that
    differ with the units of their backbones. The scales are buffers, so the towers carry them.
    """

    image_scale: Tensor
    text_scale: Tensor

    def __init__(
        self,
        image_dim: int,
        text_dim: int,
        *,
        hidden: int,
        dim: int,
        order: str,
        dropout: float,
        image_scale: float = 1.0,
        text_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.image_branch = new_branch(image_dim, hidden, dim, order=order, dropout=dropout)
        self.text_branch = new_branch(text_dim, hidden, dim, order=order, dropout=dropout)
        self.register_buffer("image_scale", torch.tensor(float(image_scale)))
        self.register_buffer("text_scale", torch.tensor(float(text_scale)))

    def embed_images(self, features: Tensor) -> Tensor:
        """(N, C_image) float32 features to (N, D) unit rows."""
        return self.image_branch(features / self.image_scale)

    def embed_texts(self, features: Tensor) -> Tensor:
        """(N, C_text) float32 features to (N, D) unit rows."""
        return self.text_branch(features / self.text_scale)
