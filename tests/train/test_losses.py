"""The losses against 3 x 3 cases worked out by hand, and against naive loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from twobranch.train.losses import (
    bidirectional_ranking_loss,
    euclidean,
    info_nce_loss,
    top_violations,
    two_branch_loss,
)

ITEMS = torch.tensor([0, 1, 2])
EYE = torch.eye(3)


def unit(rows: list[list[float]]) -> torch.Tensor:
    return functional.normalize(torch.tensor(rows), dim=1)


def batch(
    seed: int = 0, n: int = 8, d: int = 5
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    rows = [functional.normalize(torch.randn(n, d), dim=1) for _ in range(3)]
    return rows[0], rows[1], rows[2], torch.tensor([0, 1, 2, 3, 0, 5, 1, 7])


def test_ranking_loss_by_hand() -> None:
    # Every pair matches perfectly (score 1) and every other score is 0: 0.2 + 0 - 1 < 0, no violation.
    assert bidirectional_ranking_loss(EYE, EYE, ITEMS, margin=0.2) == 0
    # With margin 1.5 each of the 6 negatives of each direction violates by 0.5: 2 * 6 * 0.5 / 3 anchors.
    assert bidirectional_ranking_loss(EYE, EYE, ITEMS, margin=1.5) == pytest.approx(2.0)


def test_ranking_loss_against_loops() -> None:
    images, texts, _, items = batch()
    expected = 0.0
    for i in range(8):
        for j in range(8):
            if items[i] != items[j]:
                positive = images[i] @ texts[i]
                expected += max(0.0, float(0.3 - positive + images[i] @ texts[j]))  # the image's negatives
                expected += max(0.0, float(0.3 - positive + images[j] @ texts[i]))  # the sentence's
    assert bidirectional_ranking_loss(images, texts, items, 0.3) == pytest.approx(expected / 8, rel=1e-5)


def test_info_nce_by_hand() -> None:
    # Logits 1/0.5 = 2 on the diagonal, 0 elsewhere: -log(e^2 / (e^2 + 2)) in both directions.
    expected = -math.log(math.exp(2) / (math.exp(2) + 2))
    assert info_nce_loss(EYE, EYE, ITEMS, temperature=0.5) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["ranking", "info-nce", "two-branch"])
def test_captions_of_one_image_are_never_negatives(name: str) -> None:
    """Two pairs of one image, identical in every way: only the third pair may push."""

    def loss(items: list[int]) -> float:
        images = unit([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
        ids = torch.tensor(items)
        if name == "ranking":
            return float(bidirectional_ranking_loss(images, images, ids, 0.5))
        if name == "info-nce":
            return float(info_nce_loss(images, images, ids, 0.1))
        return float(two_branch_loss(images, images, images, ids, margin=0.5))

    assert loss([0, 0, 1]) == pytest.approx(0, abs=1e-3)  # as one image: nothing to complain about
    assert loss([0, 2, 1]) > 0.1  # as two images they are each other's negatives


def test_euclidean_is_the_distance_of_unit_rows() -> None:
    assert euclidean(EYE, EYE)[0].tolist() == pytest.approx([1e-4, math.sqrt(2), math.sqrt(2)])


def test_only_the_largest_violations_count() -> None:
    # margin 1 + d(positive) 1 - distances: violations 2, 1.5, 1, and the masked one; the two largest: 1.75.
    violations = top_violations(
        torch.tensor([1.0]),
        torch.tensor([[0.0, 0.5, 1.0, 0.1]]),
        torch.tensor([[True, True, True, False]]),
        margin=1.0,
        top=2,
    )
    assert violations == pytest.approx(1.75)


def test_two_branch_loss_against_loops() -> None:
    images, texts, more, items = batch()

    def distance(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a - b).norm())

    def mean_of_top(violations: list[float]) -> float:
        return sum(sorted(violations, reverse=True)[:3]) / 3

    text_anchors = image_anchors = neighbours = 0.0
    everyone, everyone_items = torch.cat([texts, more]), torch.cat([items, items])
    for i in range(8):
        d = distance(texts[i], images[i])
        others = [j for j in range(8) if items[j] != items[i]]
        text_anchors += mean_of_top([max(0, 0.1 + d - distance(texts[i], images[j])) for j in others])
        image_anchors += mean_of_top([max(0, 0.1 + d - distance(texts[j], images[i])) for j in others])
        farthest = max(distance(texts[i], everyone[j]) for j in range(16) if everyone_items[j] == items[i])
        violations = [
            max(0, 0.1 + farthest - distance(texts[i], everyone[j]))
            for j in range(16)
            if everyone_items[j] != items[i]
        ]
        neighbours += mean_of_top(violations)
    expected = (1.5 * text_anchors + 1.0 * image_anchors + 0.05 * neighbours) / 8
    assert two_branch_loss(images, texts, more, items, margin=0.1, top=3) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_finite_even_where_rows_coincide(seed: int) -> None:
    images, texts, more, items = batch(seed)
    texts = images.clone().requires_grad_(True)  # distance 0: the root has no slope there
    two_branch_loss(images, texts, more, items, margin=0.1).backward()
    assert texts.grad is not None
    assert torch.isfinite(texts.grad).all()
