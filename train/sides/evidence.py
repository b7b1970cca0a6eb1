"""The classifier's classes in words, as a part of every vector (ConSE).

ConSE (Norouzi et al., *Zero-Shot Learning by Convex Combination of Semantic Embeddings*, ICLR 2014) takes
the mean of the class names' sentence vectors, weighted by the probabilities of the likeliest classes. This
mean lies in the space of sentences. Its inner product with a query finds things that the classifier knows and
no caption named. Both parts together are one unit vector, with one inner product:

    score = a_p * a_q * (branch . branch) + b_p * b_q * (evidence . words),   a² + b² = 1 on both sides

b_p is one number. b_q falls with the length of the query, since a name asks for a thing and a sentence asks
for a scene.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from twobranch.embedding.backbones import Backbone
from twobranch.train.knowledge import Classifier
from twobranch.train.presets import EvidencePreset
from twobranch.train.sides.class_names import imagenet_class_names
from twobranch.train.sides.sentences import SentenceEncoder


class WordSpace(nn.Module):
    """Projection of (N, C) sentence features to (N, E) unit rows.

    It keeps the directions in which class names differ most.
    """

    basis: Tensor

    def __init__(self, class_names: Tensor, dim: int) -> None:
        """``class_names`` (K, C) are the features of the names. E is at most the smaller of K and C."""
        super().__init__()
        directions = torch.linalg.svd(class_names, full_matrices=False).Vh[:dim]
        self.register_buffer("basis", directions.T.contiguous())  # (C, E)

    def forward(self, features: Tensor) -> Tensor:
        return functional.normalize(features @ self.basis, dim=1)


class PhotoEvidence(nn.Module):
    """Layer that adds the classifier's words to photo vectors.

    It maps (N, D) branch vectors and (N, F) backbone features to (N, D + E) unit rows.
    """

    weight: Tensor
    bias: Tensor
    names: Tensor

    def __init__(
        self, classifier: Classifier, class_names: Tensor, space: WordSpace, preset: EvidencePreset
    ) -> None:
        super().__init__()
        self.register_buffer("weight", classifier.weight)  # (K, F)
        self.register_buffer("bias", classifier.bias)  # (K,)
        self.register_buffer("names", class_names @ space.basis)  # (K, E)
        self.likeliest = preset.likeliest
        self.own, self.share = _sides(torch.tensor(preset.photo))

    def forward(self, rows: Tensor, features: Tensor) -> Tensor:
        probabilities = functional.softmax(functional.linear(features, self.weight, self.bias), dim=1)
        least = probabilities.topk(self.likeliest, dim=1).values[:, -1:]  # (N, 1)
        kept = torch.where(probabilities >= least, probabilities, 0.0)
        evidence = functional.normalize(kept @ self.names, dim=1)  # (N, E)
        return torch.cat([self.own * rows, self.share * evidence], dim=1)


class QueryEvidence(nn.Module):
    """Layer that adds the words of a query to its vector.

    It maps (N, D) branch vectors, (N, C) sentence features and (N, T) masks to (N, D + E) unit rows.
    """

    def __init__(self, space: WordSpace, preset: EvidencePreset) -> None:
        super().__init__()
        self.space = space
        self.preset = preset

    def forward(self, rows: Tensor, features: Tensor, attention_mask: Tensor) -> Tensor:
        preset = self.preset
        pieces = attention_mask.sum(dim=1, keepdim=True).float() - 2  # without the marks at both ends
        shortness = (preset.long_pieces - pieces) / (preset.long_pieces - preset.short_pieces)
        ratio = preset.long + (preset.short - preset.long) * shortness.clamp(0, 1)  # (N, 1)
        own, share = _sides(ratio)
        return torch.cat([own * rows, share * self.space(features)], dim=1)


def evidence(
    backbone: Backbone, encoder: SentenceEncoder, preset: EvidencePreset
) -> tuple[PhotoEvidence, QueryEvidence]:
    """Build both layers from a backbone's classifier and a sentence encoder.

    The encoder reads the class names.
    """
    names = torch.from_numpy(encoder.features(imagenet_class_names()))
    space = WordSpace(names, preset.dim)
    return PhotoEvidence(Classifier.of(backbone), names, space, preset), QueryEvidence(space, preset)


def _sides(ratio: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two weights of ``ratio``.

    They are a and b with a² + b² = 1 and b / a = ``ratio``.
    """
    own = 1 / torch.sqrt(1 + ratio * ratio)
    return own, ratio * own
