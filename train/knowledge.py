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

LIKELY = (
    0.05  # a photo is no negative for the name of a class that the classifier gives it with this probability
)


@dataclass(frozen=True)
class Classifier:
    """The backbone's ImageNet classifier: (K, C) weights and (K,) biases over its features."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, backbone: Backbone) -> Classifier:
        return cls(backbone.classifier, backbone.classifier_bias)

    def log_probabilities(self, features: NDArray[np.float32]) -> Tensor:
        """(N, K) of (N, C) features."""
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
        said: Tensor | None,
    ) -> Tensor | None:
        """(B + C, B + C) bool, row = image, column = text: what is certainly wrong in a batch.

        The batch is B pairs of photo ``items`` and text ``rows``, then C pairs of ``classes``; ``said``
        (B, K) are the classifier's log-probabilities for the photos. None where nothing is known.
        """
        if self.truth is None:
            return None
        n = len(items) + len(classes)
        wrong = np.ones((n, n), dtype=bool)
        wrong[: len(items), : len(items)] = self.truth.negatives(items, rows) & ~self.truth.same_text(rows)
        if said is not None and len(classes):
            wrong[: len(items), len(items) :] = (said[:, classes] < np.log(LIKELY)).numpy()
        return torch.from_numpy(wrong)
