"""Extra training pairs from the class names of the backbone's classifier.

The captions of a corpus name a few thousand things. The ImageNet classifier knows a thousand others
(espresso, lighthouse, fire engine). Its weight vector for a class is the direction in feature space in which
photos of that class lie. The feature of a training photo, drawn halfway to the mean and moved in that
direction, stands for a photo of the class, and the class name is its caption. No photo of these classes is
needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Range of how far a feature is moved, in lengths of a typical feature.
STRENGTH = (0.56, 1.68)
TEMPLATES = ("{}", "a photo of a {}")


@dataclass(frozen=True)
class ClassPairs:
    """The class-name pairs to draw from.

    A drawn pair is an image feature and a sentence feature.
    """

    photos: NDArray[np.float32]  # (N, C) training photos, each halfway to their mean
    directions: NDArray[np.float32]  # (K, C) unit rows
    length: float  # of a typical feature
    sentences: tuple[str, ...]  # (len(TEMPLATES) * K,), template by template
    texts: NDArray[np.float32]  # (len(TEMPLATES) * K, C_text) features of the sentences

    def draw(self, n: int, rng: np.random.Generator) -> DrawnPairs:
        """Draw ``n`` pairs of ``n`` different classes."""
        classes = rng.choice(len(self.directions), n, replace=False)
        strength = rng.uniform(*STRENGTH, size=(n, 1)).astype(np.float32) * self.length
        images = self.photos[rng.integers(len(self.photos), size=n)] + strength * self.directions[classes]
        rows = rng.integers(len(TEMPLATES), size=n) * len(self.directions) + classes
        # Backbone features are means of ReLU outputs: never negative.
        return DrawnPairs(np.maximum(images, 0), rows, -1 - classes)


@dataclass(frozen=True)
class DrawnPairs:
    """Class-name pairs for one batch."""

    images: NDArray[np.float32]  # (n, C) image features
    rows: NDArray[np.int64]  # (n,) rows of `ClassPairs.sentences` and `.texts`
    items: NDArray[np.int64]  # (n,) negative, so that they never equal those of a photo

    @property
    def classes(self) -> NDArray[np.int64]:
        """The (n,) numbers of the classes in the classifier."""
        return -1 - self.items


def class_pairs(
    classifier: NDArray[np.float32],
    photos: NDArray[np.float32],
    text_features: Callable[[Sequence[str]], NDArray[np.float32]],
) -> ClassPairs:
    """Build the pairs of an ImageNet classifier.

    ``classifier`` holds its (1000, C) weights, ``photos`` the (N, C) features to move. Raises ``ValueError``
    unless there are as many classes as names.
    """
    names = imagenet_class_names()
    if len(names) != len(classifier):
        raise ValueError(f"{len(classifier)} classes but {len(names)} names")
    sentences = [template.format(name) for template in TEMPLATES for name in names]
    return ClassPairs(
        (photos + photos.mean(axis=0)) / 2,
        classifier / np.linalg.norm(classifier, axis=1, keepdims=True),
        float(np.linalg.norm(photos, axis=1).mean()),
        tuple(sentences),
        text_features(sentences),
    )


def imagenet_class_names() -> list[str]:
    """Return the 1,000 class names in the order of the classifiers' outputs.

    They come from torchvision's metadata.
    """
    from torchvision.models import ResNet50_Weights

    return list(ResNet50_Weights.IMAGENET1K_V2.meta["categories"])
