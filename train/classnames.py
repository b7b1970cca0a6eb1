"""What the backbone's classifier knows: pairs of class directions and class names.

The captions of a corpus name a few thousand things; the ImageNet classifier knows a thousand others
(espresso, lighthouse, fire engine). Its weight vector for a class says in which direction of feature space
photos of that class lie: a washed-out training photo moved that way stands for one, with the class name as
its caption. No photo of these classes is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# How far a feature is moved, in lengths of a typical feature.
STRENGTH = (0.56, 1.68)
TEMPLATES = ("{}", "a photo of a {}")


@dataclass(frozen=True)
class ClassPairs:
    """The pairs to draw from; a drawn pair is an image feature and a sentence feature."""

    photos: NDArray[np.float32]  # (N, C) training photos, each halfway to their mean
    directions: NDArray[np.float32]  # (K, C) unit rows
    length: float  # of a typical feature
    texts: NDArray[np.float32]  # (len(TEMPLATES), K, C_text)

    def draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """(n, C) image features and (n, C_text) sentence features of ``n`` different classes, and (n,) items.

        Items are negative, so they never equal those of a photo.
        """
        classes = rng.choice(len(self.directions), n, replace=False)
        strength = rng.uniform(*STRENGTH, size=(n, 1)).astype(np.float32) * self.length
        images = self.photos[rng.integers(len(self.photos), size=n)] + strength * self.directions[classes]
        # Backbone features are means of ReLU outputs: never negative.
        texts = self.texts[rng.integers(len(TEMPLATES), size=n), classes]
        return np.maximum(images, 0), texts, -1 - classes


def class_pairs(
    classifier: NDArray[np.float32],
    photos: NDArray[np.float32],
    text_features: Callable[[Sequence[str]], NDArray[np.float32]],
) -> ClassPairs:
    """The pairs of an ImageNet classifier's (1000, C) weights, around the (N, C) features of photos."""
    names = imagenet_class_names()
    if len(names) != len(classifier):
        raise ValueError(f"{len(classifier)} classes but {len(names)} names")
    sentences = [template.format(name) for template in TEMPLATES for name in names]
    return ClassPairs(
        (photos + photos.mean(axis=0)) / 2,
        classifier / np.linalg.norm(classifier, axis=1, keepdims=True),
        float(np.linalg.norm(photos, axis=1).mean()),
        text_features(sentences).reshape(len(TEMPLATES), len(names), -1),
    )


def imagenet_class_names() -> list[str]:
    """The 1,000 class names in the order of the classifiers' outputs, from torchvision's metadata."""
    from torchvision.models import ResNet50_Weights

    return list(ResNet50_Weights.IMAGENET1K_V2.meta["categories"])
