from __future__ import annotations

import pytest
import torch
from torch import nn

from twobranch.embedding.branches import Branch, TwoBranchNetwork


def kinds(branch: Branch) -> list[type[nn.Module]]:
    return [type(layer) for layer in branch.layers]


def test_the_seed_branch_is_fc_relu_fc_batchnorm() -> None:
    branch = Branch(10, 20, 5, order="seed")
    # The dropout is the default preset's; the seed preset's rate is 0, which does nothing.
    assert kinds(branch) == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.BatchNorm1d]
    assert branch.layers[2].p == 0


def test_the_paper_branch_is_fc_batchnorm_relu_dropout_fc() -> None:
    assert kinds(Branch(10, 20, 5, order="paper", dropout=0.5)) == [
        nn.Linear,
        nn.BatchNorm1d,
        nn.ReLU,
        nn.Dropout,
        nn.Linear,
    ]


def test_another_order_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="'other', not 'seed' or 'paper'"):
        Branch(10, 20, 5, order="other")


@pytest.mark.parametrize("order", ["seed", "paper"])
def test_embeddings_are_unit_rows_so_that_distance_and_cosine_agree(order: str) -> None:
    network = TwoBranchNetwork(10, 7, hidden=20, dim=5, order=order, dropout=0.0)
    images, texts = network.embed_images(torch.randn(6, 10)), network.embed_texts(torch.randn(6, 7))
    assert images.norm(dim=1).tolist() == pytest.approx([1.0] * 6)
    # |a - b|^2 = 2 - 2 a.b: the nearest is the one with the highest cosine
    squared = torch.cdist(images, texts).square()
    assert torch.allclose(squared, 2 - 2 * images @ texts.T, atol=1e-5)


def test_scales_divide_the_features() -> None:
    torch.manual_seed(0)
    network = TwoBranchNetwork(10, 7, hidden=20, dim=5, order="seed", dropout=0.0, image_scale=4.0).eval()
    features = torch.randn(3, 10)
    expected = network.image_branch(features / 4)
    assert torch.allclose(network.embed_images(features), expected)


def test_an_untrained_branch_returns_the_vectors_of_its_model() -> None:
    network = TwoBranchNetwork(6, 6, hidden=8, dim=6, order="residual", dropout=0.5, image_scale=0.4).eval()
    rows = torch.nn.functional.normalize(torch.randn(5, 6), dim=1)
    assert torch.allclose(network.embed_images(rows), rows, atol=1e-6)
    assert torch.allclose(network.embed_texts(rows), rows, atol=1e-6)
    with pytest.raises(ValueError, match="6 features cannot give 5 dimensions"):
        TwoBranchNetwork(6, 6, hidden=8, dim=5, order="residual", dropout=0.5)
