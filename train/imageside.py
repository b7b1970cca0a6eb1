"""The image side of a training run: photos to features, and the image tower."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from embedding.backbones import Backbone
from embedding.branches import TwoBranchNetwork
from embedding.errors import ImageError
from embedding.preprocess import PREPROCESSING
from embedding.progress import Progress
from train.activations import Activations, photo_activations
from train.data import CaptionedPhotos
from train.features import FeatureCache, batched, image_features
from train.joint import JointNetwork, TunedImageTower, fast_arithmetic
from train.latestages import LateStages, Stem, split_backbone
from train.save import ImageTower, backbone_extractor, stem_extractor
from train.sentences import SentenceEncoder, tokenize
from train.tune import TuningSplit
from train.views import VIEWS_VERSION


@dataclass(frozen=True)
class FrozenPhotos:
    """Photos as pooled features of a backbone that stays as it is."""

    backbone: Backbone
    rows: dict[Path, int]
    array: NDArray[np.float32]  # (P, C)
    failed: tuple[ImageError, ...]

    @classmethod
    def read(
        cls,
        train: Sequence[Path],
        dev: Sequence[Path],
        backbone: Backbone,
        *,
        origin: str,
        n_views: int,
        cache: Path,
        progress: Progress,
    ) -> FrozenPhotos:
        """The features of all photos, from the cache where it has them. ``origin`` names the weights."""
        if n_views != 1:
            raise ValueError(f"{n_views} views; a backbone that is not tuned sees each photo once")
        found = image_features(
            [*train, *dev],
            lambda: backbone_extractor(backbone),
            size=backbone.size,
            extractor=f"{backbone.name}-{origin}-{backbone.size}-v{PREPROCESSING}",
            cache=cache,
            progress=progress,
        )
        return cls(backbone, found.rows, found.features, found.failed)

    @property
    def readable(self) -> Collection[Path]:
        return self.rows.keys()

    def train(self, photos: Sequence[Path]) -> NDArray[np.float32]:
        """(N, 1, C) float32."""
        return self.array[[self.rows[photo] for photo in photos], None]

    dev = train

    def tower(self, network: nn.Module) -> nn.Module:
        """The image tower over trained branches."""
        assert isinstance(network, TwoBranchNetwork)
        return ImageTower(self.backbone, network)


@dataclass(frozen=True)
class TunedPhotos:
    """Photos as activations of a backbone's stem, from which its late stages go on."""

    backbone: Backbone
    stem: Stem
    train_activations: Activations
    dev_activations: Activations
    train_features: dict[Path, NDArray[np.float32]]  # (V, C) of each photo, before any tuning
    dev_features: dict[Path, NDArray[np.float32]]

    @classmethod
    def read(
        cls,
        train: Sequence[Path],
        dev: Sequence[Path],
        backbone: Backbone,
        *,
        origin: str,
        n_views: int,
        cache: Path,
        progress: Progress,
    ) -> TunedPhotos:
        """Activations and features of all photos, from the cache where it has them: ``n_views`` of a
        training photo, one of a dev photo. ``origin`` names the weights."""
        stem, late = split_backbone(backbone)
        late.eval()
        name = f"{backbone.name}-{origin}-{backbone.size}-v{PREPROCESSING}.{VIEWS_VERSION}-stem"
        with torch.inference_mode():
            pixels = torch.zeros(1, backbone.size, backbone.size, 3, dtype=torch.uint8)
            channels, height, width = stem(pixels).shape[1:]

        def activations(photos: Sequence[Path], n: int) -> Activations:
            return photo_activations(
                photos,
                lambda: stem_extractor(stem, backbone.size),
                shape=(height, width, channels),
                size=backbone.size,
                n_views=n,
                extractor=name,
                cache=cache,
                progress=progress,
            )

        of_train, of_dev = activations(train, n_views), activations(dev, 1)
        features = [
            _pooled(some, late, f"{name}-pooled-x{n}", cache, progress)
            for some, n in ((of_train, n_views), (of_dev, 1))
        ]
        return cls(backbone, stem, of_train, of_dev, *features)

    @property
    def failed(self) -> tuple[ImageError, ...]:
        return (*self.train_activations.failed, *self.dev_activations.failed)

    @property
    def readable(self) -> Collection[Path]:
        return self.train_activations.rows.keys() | self.dev_activations.rows.keys()

    def train(self, photos: Sequence[Path]) -> NDArray[np.float32]:
        """(N, V, C) float32 features of training photos."""
        return np.stack([self.train_features[photo] for photo in photos])

    def dev(self, photos: Sequence[Path]) -> NDArray[np.float32]:
        """(N, 1, C) float32 features of dev photos."""
        return np.stack([self.dev_features[photo] for photo in photos])

    def tuning_split(self, part: CaptionedPhotos, *, train: bool) -> TuningSplit:
        """The activations and word pieces of one part."""
        of = self.train_activations if train else self.dev_activations
        rows = np.array([of.rows[photo] for photo in part.photos])
        return TuningSplit(of.array, rows, tokenize(part.texts), part.items)

    def joint(self, branches: TwoBranchNetwork) -> JointNetwork:
        """Late stages and sentence encoder as they were pretrained, under these branches."""
        late = split_backbone(self.backbone)[1]
        return JointNetwork(late, SentenceEncoder.pretrained(), branches)

    def tower(self, network: nn.Module) -> nn.Module:
        """The image tower over a tuned network, or over branches alone."""
        if isinstance(network, JointNetwork):
            return TunedImageTower(self.stem, network)
        assert isinstance(network, TwoBranchNetwork)
        return ImageTower(self.backbone, network)


def _pooled(
    activations: Activations, late: LateStages, extractor: str, cache: Path, progress: Progress
) -> dict[Path, NDArray[np.float32]]:
    """The (V, C) features of every view: the mean over cells of the late stages before any tuning."""
    keys = activations.keys
    photo_of = {key: photo for photo, key in keys.items()}
    with closing(FeatureCache(cache, extractor)) as store:
        known = store.get(list(photo_of))
        missing = [key for key in photo_of if key not in known]
        if missing:
            progress.start("features of the views", len(missing))
            for batch in batched(missing, 32):
                views = activations.array[[activations.rows[photo_of[key]] for key in batch]]
                stacked = torch.from_numpy(views).float().flatten(0, 1).permute(0, 3, 1, 2)
                with torch.inference_mode(), fast_arithmetic():
                    features = late.in_chunks(stacked).float().mean(dim=1)  # (n * V, C)
                rows = features.numpy().reshape(len(batch), -1)
                store.put(batch, rows)
                known.update(zip(batch, rows, strict=True))
                progress.advance(len(batch))
            progress.finish()
    n_views = activations.array.shape[1]
    return {photo: known[key].reshape(n_views, -1) for photo, key in keys.items()}
