"""A finished model under the branches; its vectors are their features."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from twobranch.common.errors import ImageError
from twobranch.common.progress import Progress
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import (
    CALIBRATION,
    IMAGE_TOWER,
    IMAGE_TOWER_INT8,
    TEXT_TOWER,
    TEXT_TOWER_LANGUAGES,
    weights_of,
)
from twobranch.embedding.preprocess import PREPROCESSING
from twobranch.train.features import ImageFeatures, image_features, text_features
from twobranch.train.output.branch_graph import with_branch
from twobranch.train.output.tower_outputs import without_cells
from twobranch.train.sides.sentences import SentenceEncoder

_IMAGE_TOWERS = (IMAGE_TOWER, IMAGE_TOWER_INT8)
_TEXT_TOWERS = (TEXT_TOWER, TEXT_TOWER_LANGUAGES)  # both encode texts into the same space


@dataclass(frozen=True)
class BaseModel:
    """A finished model, encoding with ONNX Runtime into the cache of features."""

    encoder: Encoder
    cache: Path
    progress: Progress

    @classmethod
    def load(cls, folder: Path, cache: Path, progress: Progress) -> BaseModel:
        """Load the model in a folder.

        Raises ``ModelError`` if its files were changed, or do not fit together.
        """
        encoder = Encoder.load(folder, verify=True)
        encoder.check()
        return cls(encoder, cache, progress)

    @property
    def name(self) -> str:
        """The model's name, without the folders that it is in."""
        return self.encoder.folder.name

    def photo_features(self, photos: Sequence[Path]) -> ImageFeatures:
        """Return the (N, D) unit rows of photos, cached ones if possible."""
        return image_features(
            photos,
            lambda: self.encoder.encode_pixels,
            size=self.encoder.image_size,
            extractor=f"model-{self._digest}-photos-v{PREPROCESSING}",
            cache=self.cache,
            progress=self.progress,
            views=self.encoder.views,
        )

    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the (N, D) unit rows of texts, cached ones if possible.

        Each is read by the tower for its language.
        """
        return text_features(
            texts,
            lambda: self.encoder.encode_texts,
            extractor=f"model-{self._digest}-texts",
            cache=self.cache,
            progress=self.progress,
        )

    @cached_property
    def _digest(self) -> str:
        """The model's identity in the names of its caches."""
        return weights_of(self.encoder.fingerprint)[:16]

    def write_towers(self, network: TwoBranchNetwork | None, folder: Path) -> list[str]:
        """Write the model's files, with the branches of ``network`` behind its towers.

        Without a network the towers stay as they are. Cells and calibration are left out: both belong to the
        vectors before the branches. Returns the names of the files.
        """
        names = [name for name in self.encoder.config.files if name != CALIBRATION]
        for name in names:
            if name in (*_IMAGE_TOWERS, *_TEXT_TOWERS):
                self._write_tower(name, network, folder)
            else:
                shutil.copyfile(self.encoder.folder / name, folder / name)
        return names

    def _write_tower(self, name: str, network: TwoBranchNetwork | None, folder: Path) -> None:
        cells = name == IMAGE_TOWER and self.encoder.has_cells
        if network is None and not cells:
            shutil.copyfile(self.encoder.folder / name, folder / name)
            return
        # Weights beside the graph are copied as a file of its own, since a graph can hold only 2 GB.
        tower = onnx.load(self.encoder.folder / name, load_external_data=False)
        if cells:
            tower = without_cells(tower)
        if network is not None:
            images = name in _IMAGE_TOWERS
            branch = network.image_branch if images else network.text_branch
            scale = network.image_scale if images else network.text_scale
            tower = with_branch(tower, branch, float(scale))
        (folder / name).write_bytes(tower.SerializeToString())


@dataclass(frozen=True)
class ModelPhotos:
    """Photos as the vectors of a model's image tower."""

    base: BaseModel
    found: ImageFeatures

    @classmethod
    def read(cls, train: Sequence[Path], dev: Sequence[Path], base: BaseModel) -> ModelPhotos:
        """Read the vectors of all photos, or compute those not cached."""
        return cls(base, base.photo_features([*train, *dev]))

    @property
    def failed(self) -> tuple[ImageError, ...]:
        return self.found.failed

    @property
    def readable(self) -> Collection[Path]:
        return self.found.rows.keys()

    def features(self, photos: Sequence[Path]) -> NDArray[np.float32]:
        """Return the (N, D) float32 unit rows of photos."""
        return self.found.features[[self.found.rows[photo] for photo in photos]]

    def train(self, photos: Sequence[Path]) -> NDArray[np.float32]:
        """Return the (N, 1, D) float32 unit rows of photos."""
        return self.features(photos)[:, None]

    dev = train


@dataclass(frozen=True)
class ModelTexts:
    """Texts as the vectors of a model's text towers."""

    base: BaseModel

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.base.text_features(texts)

    def encoder(self) -> SentenceEncoder:
        raise ValueError("a finished model is not tuned")
