"""Losses over a batch of image-sentence pairs.

Row i of the images and row i of the sentences are a pair. ``items`` (B,) int64 holds the image number of
each pair. Pairs of the same image are positives of each other, never negatives: no loss pushes the captions
of an image away from it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

TEXT_WEIGHT, IMAGE_WEIGHT, NEIGHBOURHOOD_WEIGHT = 1.5, 1.0, 0.05  # of the terms of ``two_branch_loss``


def bidirectional_ranking_loss(images: Tensor, texts: Tensor, items: Tensor, margin: float) -> Tensor:
    """Bidirectional triplet hinge loss on cosines (preset ``seed``).

    Pairs of other images in the batch are negatives. For every pair (x, y) and every negative:
    ``s(x, y) >= s(x, y') + margin`` and ``s(x, y) >= s(x', y) + margin``. Violations are summed over
    negatives and averaged over anchors. ``images`` and ``texts`` are (B, D) unit rows.
    """
    scores = images @ texts.T  # (B, B): row = image, column = sentence
    positive = scores.diagonal()
    negative = items[:, None] != items[None, :]
    per_image = (margin + scores - positive[:, None]).clamp(min=0) * negative
    per_text = (margin + scores - positive[None, :]).clamp(min=0) * negative
    return (per_image.sum() + per_text.sum()) / len(items)


def info_nce_loss(
    images: Tensor, texts: Tensor, items: Tensor, temperature: float, negatives: Tensor | None = None
) -> Tensor:
    """Symmetric InfoNCE loss, without pairs of the same image as negatives.

    Radford et al., *Learning Transferable Visual Models from Natural Language Supervision*, 2021,
    figure 3. The mask is added because a batch may hold several captions of one image. ``negatives`` (B, B)
    bool, row = image, column = text, marks the pairs that are certainly wrong; others are masked out too.
    """
    logits = images @ texts.T / temperature  # (B, B)
    left_out = items[:, None] == items[None, :]
    if negatives is not None:
        left_out = left_out | ~negatives
    logits = logits.masked_fill(left_out.fill_diagonal_(False), -torch.inf)
    target = torch.arange(len(items))
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def classifier_loss(features: Tensor, targets: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """KL divergence between a classifier's outputs before and after tuning.

    Li and Hoiem, *Learning without Forgetting*, 2016. Here the classifier itself is frozen. ``features``
    (B, C) are the tuned ones, ``targets`` (B, K) the log-probabilities before tuning, ``weight`` is (K, C)
    and ``bias`` (K,).
    """
    now = functional.log_softmax(features @ weight.T + bias, dim=1)
    return functional.kl_div(now, targets, log_target=True, reduction="batchmean")


def two_branch_loss(
    images: Tensor,
    texts: Tensor,
    more_texts: Tensor,
    items: Tensor,
    *,
    margin: float,
    top: int = 10,
) -> Tensor:
    """Loss of the embedding network of Wang et al. (preset ``paper``).

    Wang et al., TPAMI 2018, equation 4, with Euclidean distances. Each term is the mean of the ``top``
    largest hinge violations of each anchor. There are three terms: sentences against images, images against
    sentences, and the neighbourhood of sentences. In the last one the farthest sentence of the same image
    must be nearer than the nearest sentences of other images. ``more_texts`` (B, D) is one more sentence
    for the image of each pair.
    """
    same = items[:, None] == items[None, :]
    distances = euclidean(texts, images)  # (B, B): row = sentence, column = image
    positive = distances.diagonal()
    text_anchors = top_violations(positive, distances, ~same, margin, top)
    image_anchors = top_violations(positive, distances.T, ~same, margin, top)

    sentences = torch.cat([texts, more_texts])  # (2B, D)
    same_image = same.repeat(1, 2)  # (B, 2B)
    between = euclidean(texts, sentences)
    farthest = between.masked_fill(~same_image, -torch.inf).amax(dim=1)
    neighbours = top_violations(farthest, between, ~same_image, margin, top)
    return TEXT_WEIGHT * text_anchors + IMAGE_WEIGHT * image_anchors + NEIGHBOURHOOD_WEIGHT * neighbours


def top_violations(positive: Tensor, distances: Tensor, negative: Tensor, margin: float, top: int) -> Tensor:
    """Return the mean of the ``top`` largest violations of all anchors.

    A violation is ``margin + d(positive) - d(negative)``, if positive. ``positive`` (B,), ``distances`` and
    ``negative`` (B, N); rows are anchors.
    """
    violations = (margin + positive[:, None] - distances).clamp(min=0) * negative
    return violations.topk(min(top, violations.shape[1]), dim=1).values.mean()


def euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Return the distances between two sets of unit rows.

    (M, D) and (N, D) rows give (M, N) distances. They are at least 1e-4, so that the gradient of the root
    stays finite.
    """
    return (2 - 2 * a @ b.T).clamp(min=1e-8).sqrt()
