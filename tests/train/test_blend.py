"""How much of trained branches is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.train.blend import blended, choose_weight
from twobranch.train.loop import FeatureSplit


def test_of_equal_weights_the_smallest_is_chosen() -> None:
    rows = np.eye(3, dtype=np.float32)
    network = TwoBranchNetwork(3, 3, hidden=4, dim=3, order="residual", dropout=0.0)
    gain = choose_weight(network, FeatureSplit(rows[:, None], rows, np.arange(3)))
    assert (gain.weight, set(gain.by_weight)) == (0, {600.0})  # six recalls of 100 percent


def test_half_a_branch_adds_half_as_much() -> None:
    network = TwoBranchNetwork(3, 3, hidden=4, dim=3, order="residual", dropout=0.0)
    last = network.image_branch.layers[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias = torch.nn.Parameter(torch.tensor([0.0, 2.0, 0.0]))
    row = torch.tensor([[1.0, 0.0, 0.0]])
    # (1, 0, 0) + 0.5 * (0, 2, 0) = (1, 1, 0), whose unit vector is (0.707, 0.707, 0)
    assert blended(network, 0.5).embed_images(row)[0].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0.0])
    assert network.embed_images(row)[0].tolist() == pytest.approx([0.2**0.5, 0.8**0.5, 0.0])  # unchanged
