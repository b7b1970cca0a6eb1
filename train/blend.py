"""The weight of trained branches over a finished model, chosen on dev.

As in WiSE-FT (Wortsman et al., *Robust fine-tuning of zero-shot models*, CVPR 2022) the weights of the model
as it was and of the model as it was trained are interpolated: (1 - a) * before + a * after. Here these are
the weights of the last layer of each residual branch, which are zero before training. That layer is linear,
so a vector is L2(x + a * branch(x)): a = 0 is the model, a = 1 the model with its branches. On few captions
branches learn much that holds for these photos only; a small a keeps the share that also helps on others.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.branches import ResidualBranch, TwoBranchNetwork
from twobranch.train.loop import FeatureSplit, dev_recalls, dev_rows

WEIGHTS = tuple(tenths / 10 for tenths in range(11))


@dataclass(frozen=True)
class Gain:
    """The dev rsum of a model without and with trained branches.

    A rsum is the mean over the sources of dev, as in the lines of the epochs.
    """

    rsum_before: float  # of the model alone
    rsum: float  # of the model with its branches
    weight: float | None = None  # of residual branches, from 0 to 1; None for others
    by_weight: tuple[float, ...] = ()  # the rsum for each of ``WEIGHTS``

    @property
    def sentence(self) -> str:
        """The gain in one line."""
        before = f"dev rsum of the model alone {self.rsum_before:.1f}"
        if self.weight == 0:
            return f"{before}; the captions bring nothing more, so the new model equals it"
        share = "" if self.weight is None else f" at weight {self.weight:g}"
        return f"{before}, with the branches {self.rsum:.1f}{share}"

    def as_json(self) -> dict[str, Any]:
        """Return the gain with figures rounded to a tenth."""
        by_weight = {f"{a:g}": round(rsum, 1) for a, rsum in zip(WEIGHTS, self.by_weight, strict=False)}
        rounded = {"rsum_before": round(self.rsum_before, 1), "rsum": round(self.rsum, 1)}
        return {**asdict(self), **rounded, "by_weight": by_weight}


def blended(network: TwoBranchNetwork, weight: float) -> TwoBranchNetwork:
    """Return a copy of a network with ``weight`` times its change.

    Raises ``ValueError`` unless both branches are residual.
    """
    changed = copy.deepcopy(network)
    for branch in (changed.image_branch, changed.text_branch):
        if not isinstance(branch, ResidualBranch):
            raise ValueError(f"a {type(branch).__name__} cannot be blended, only a ResidualBranch")
        branch.scale_change(weight)
    return changed


def choose_weight(network: TwoBranchNetwork, dev: FeatureSplit) -> Gain:
    """Measure each weight on dev, and return the best. Of equal ones it is the smallest."""
    by_weight = tuple(rsum_of(blended(network, weight), dev) for weight in WEIGHTS)
    best = max(range(len(WEIGHTS)), key=lambda at: (by_weight[at], -at))
    return Gain(by_weight[0], by_weight[best], WEIGHTS[best], by_weight)


def measure_gain(network: TwoBranchNetwork, dev: FeatureSplit) -> Gain:
    """Measure branches that replace the vectors of a model."""
    return Gain(_rsum(dev.images[:, 0], dev.texts, dev), rsum_of(network, dev))


def rsum_of(network: TwoBranchNetwork, dev: FeatureSplit) -> float:
    """Return the rsum of a network on dev, a mean over sources."""
    return _rsum(*dev_rows(network, dev), dev)


def _rsum(images: NDArray[np.float32], texts: NDArray[np.float32], dev: FeatureSplit) -> float:
    return sum(sum(way.values()) for way in dev_recalls(images, texts, dev.items, dev.sources))
