"""Training inputs beside the captions: true answers, class names, the classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twobranch.embedding.backbones import Backbone
from twobranch.train.sides.class_names import ClassPairs
from twobranch.train.truth import Truth

# A photo is not a negative for a class name if the classifier gives the class at least this probability.
LIKELY = 0.05


@dataclass(frozen=True)
class Classifier:
    """The backbone's ImageNet classifier.

    It has (K, C) weights and (K,) biases, and reads the backbone's (N, C) features.
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, backbone: Backbone) -> Classifier:
        return cls(backbone.classifier, backbone.classifier_bias)

    def log_probabilities(self, features: NDArray[np.float32]) -> Tensor:
        """Return the (N, K) log-probabilities of (N, C) features."""
        return torch.log_softmax(torch.from_numpy(features) @ self.weight.T + self.bias, dim=1)


@dataclass(frozen=True)
class Knowledge:
    """Inputs of both training loops beside the captions; empty by default."""

    truth: Truth | None = None
    classes: ClassPairs | None = None
    class_sentences: Sequence[Sequence[int]] = ()  # token ids of ``classes.sentences``
    classifier: Classifier | None = None

    def negatives(
        self,
        items: NDArray[np.int64],
        rows: NDArray[np.int64],
        classes: NDArray[np.int64],
        predicted: Tensor | None,
    ) -> Tensor | None:
        """Return the pairs of a batch that are certainly wrong.

        The result is (B + C, B + C) bool with a row per image and a column per text, or None if nothing is
        known. The batch is B pairs of photo ``items`` and text ``rows``, then C pairs of ``classes``.
        ``predicted`` (B, K) are the classifier's log-probabilities for the photos.
        """
        if self.truth is None:
            return None
        n = len(items) + len(classes)
        wrong = np.ones((n, n), dtype=bool)
        wrong[: len(items), : len(items)] = self.truth.negatives(items, rows) & ~self.truth.same_text(rows)
        if predicted is not None and len(classes):
            wrong[: len(items), len(items) :] = (predicted[:, classes] < np.log(LIKELY)).numpy()
        return torch.from_numpy(wrong)
