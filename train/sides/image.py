"""The image side of a training run: photo features and image tower."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from twobranch.common.errors import ImageError
from twobranch.common.progress import Progress
from twobranch.embedding.backbones import Backbone
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.embedding.preprocess import PREPROCESSING
from twobranch.train.data import CaptionedPhotos
from twobranch.train.features import image_features
from twobranch.train.output.save import ImageTower, backbone_extractor, halves_extractor
from twobranch.train.sides.activations import Activations, Extractor, photo_activations
from twobranch.train.sides.evidence import PhotoEvidence
from twobranch.train.sides.joint import JointNetwork, TunedImageTower
from twobranch.train.sides.late_stages import LateStages, Stem
from twobranch.train.sides.sentences import SentenceEncoder, tokenize
from twobranch.train.sides.views import VIEWS_VERSION
from twobranch.train.tune import TuningSplit


@dataclass(frozen=True)
class PhotoReading:
    """Options for reading the photos of a training run."""

    origin: str  # name of the backbone's weights in the cache
    n_views: int  # of each training photo
    cache: Path
    progress: Progress


@dataclass(frozen=True)
class FrozenPhotos:
    """Photos as pooled features of a backbone that stays as it is."""

    backbone: Backbone
    rows: dict[Path, int]
    array: NDArray[np.float32]  # (P, C)
    failed: tuple[ImageError, ...]

    @classmethod
    def read(
        cls, train: Sequence[Path], dev: Sequence[Path], backbone: Backbone, options: PhotoReading
    ) -> FrozenPhotos:
        """Read the features of all photos, or compute those not cached.

        Raises ``ValueError`` for more than one view.
        """
        if options.n_views != 1:
            raise ValueError(f"{options.n_views} views; a backbone that is not tuned sees each photo once")
        found = image_features(
            [*train, *dev],
            lambda: backbone_extractor(backbone),
            size=backbone.size,
            extractor=f"{backbone.name}-{options.origin}-{backbone.size}-v{PREPROCESSING}",
            cache=options.cache,
            progress=options.progress,
        )
        return cls(backbone, found.rows, found.features, found.failed)

    @property
    def readable(self) -> Collection[Path]:
        return self.rows.keys()

    def train(self, photos: Sequence[Path]) -> NDArray[np.float32]:
        """Return the (N, 1, C) float32 features of photos."""
        return self.array[[self.rows[photo] for photo in photos], None]

    dev = train

    def tower(self, network: TwoBranchNetwork) -> nn.Module:
        """Return the image tower over trained branches."""
        return ImageTower(self.backbone, network)


@dataclass(frozen=True)
class TunedPhotos:
    """Photos as activations of a backbone's stem.

    The late stages continue from them.
    """

    backbone: Backbone
    stem: Stem
    late: LateStages  # before any tuning
    train_activations: Activations
    dev_activations: Activations

    @classmethod
    def read(
        cls,
        train: Sequence[Path],
        dev: Sequence[Path],
        backbone: Backbone,
        halves: tuple[Stem, LateStages],
        options: PhotoReading,
    ) -> TunedPhotos:
        """Read the activations and features of all photos.

        Those not in the cache are computed. A training photo has ``options.n_views`` views, a dev photo one.
        """
        stem, late = halves
        late.eval()
        with torch.inference_mode():
            pixels = torch.zeros(1, backbone.size, backbone.size, 3, dtype=torch.uint8)
            channels, height, width = stem(pixels).shape[1:]
        extractor = Extractor(
            f"{backbone.name}-{options.origin}-{backbone.size}-v{PREPROCESSING}.{VIEWS_VERSION}"
            f"-{height}x{channels}",
            lambda: halves_extractor(stem, late, backbone.size),
            size=backbone.size,
            shape=(height, width, channels),
        )

        def activations(photos: Sequence[Path], n_views: int) -> Activations:
            return photo_activations(
                photos, extractor, n_views=n_views, cache=options.cache, progress=options.progress
            )

        return cls(backbone, stem, late, activations(train, options.n_views), activations(dev, 1))

    @property
    def failed(self) -> tuple[ImageError, ...]:
        return (*self.train_activations.failed, *self.dev_activations.failed)

    @property
    def readable(self) -> Collection[Path]:
        return self.train_activations.rows.keys() | self.dev_activations.rows.keys()

    def train(self, photos: Sequence[Path]) -> NDArray[np.float32]:
        """Return the (N, V, C) float32 features of training photos."""
        return np.stack([self.train_activations.features[photo] for photo in photos])

    def dev(self, photos: Sequence[Path]) -> NDArray[np.float32]:
        """Return the (N, 1, C) float32 features of dev photos."""
        return np.stack([self.dev_activations.features[photo] for photo in photos])

    def tuning_split(self, part: CaptionedPhotos, *, train: bool) -> TuningSplit:
        """Return the activations and word pieces of one part."""
        of = self.train_activations if train else self.dev_activations
        rows = np.array([of.rows[photo] for photo in part.photos])
        features = self.train(part.photos) if train else None
        return TuningSplit(of.array, rows, tokenize(part.texts), part.items, features, part.sources)

    def joint(self, branches: TwoBranchNetwork, sentences: SentenceEncoder) -> JointNetwork:
        """Build the network to tune.

        It consists of a copy of the untuned late stages, the sentence encoder and the branches.
        """
        return JointNetwork(copy.deepcopy(self.late), sentences, branches)

    def tower(self, network: JointNetwork, evidence: PhotoEvidence | None = None) -> nn.Module:
        """Return the image tower over a tuned network."""
        return TunedImageTower(self.stem, network, evidence)
