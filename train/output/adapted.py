"""Writing branches over a finished model as another model folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twobranch.common.progress import Progress
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import ModelConfig, sha256_file, write_config
from twobranch.train.blend import Gain
from twobranch.train.checkpoint import Epoch
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output.calibrate import write_calibration
from twobranch.train.output.card import CARD, NOTICE, write_card
from twobranch.train.output.curves import draw_curves
from twobranch.train.output.questions import EncodedPhotos
from twobranch.train.output.save import CURVES, dev_figures, run_facts
from twobranch.train.presets import Preset
from twobranch.train.sides.model import BaseModel, ModelPhotos

BASE = "base"  # the folder of the base model's own card and notice
_LEAST_COSINE = 0.9999  # between a vector in PyTorch and in the written towers
_CHECKED = 8  # photos and texts


@dataclass(frozen=True)
class AdaptedModel:
    """A finished model with trained branches, or alone if they gained nothing."""

    photos: ModelPhotos
    network: TwoBranchNetwork | None  # in evaluation mode, its weight applied; None: the model alone
    preset: Preset
    history: Sequence[Epoch]
    gain: Gain

    @property
    def base(self) -> BaseModel:
        return self.photos.base

    def encode_images(self, images: Sequence[Path]) -> NDArray[np.float32]:
        """Return the (N, D) unit rows of train or dev photos."""
        return self.image_rows(self.photos.features(images))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the (N, D) unit rows of texts, from cached features."""
        return self.text_rows(self.base.text_features(texts))

    def knows(self, text: str) -> bool:
        return self.base.encoder.knows(text)

    def image_rows(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map the model's (N, C) unit rows of photos to (N, D)."""
        if self.network is None:
            return features
        with torch.inference_mode():
            return self.network.embed_images(torch.from_numpy(features)).numpy()

    def text_rows(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map the model's (N, C) unit rows of texts to (N, D)."""
        if self.network is None:
            return features
        with torch.inference_mode():
            return self.network.embed_texts(torch.from_numpy(features)).numpy()


def save_adapted(
    folder: Path,
    model: AdaptedModel,
    train: CaptionedPhotos,
    dev: CaptionedPhotos,
    *,
    training: dict[str, Any],
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Write the model folder, and return its dev metrics.

    As ``save_model``, but the metrics come from cached features: a large model may take hours to encode the
    photos again. The written towers are compared with them on a few photos and texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = model.base.write_towers(model.network, folder)
    _copy_papers(model.base.encoder.folder, folder / BASE)
    config = _config(model, training, {name: sha256_file(folder / name) for name in names})
    _check_towers(Encoder(folder, config), model, dev)
    draw_curves(model.history, folder / CURVES, title=f"{config.preset}, {config.backbone}")
    images, texts = model.encode_images(dev.photos), model.encode_texts(dev.texts)
    metrics = dev_figures(images, texts, dev, model.encode_texts)
    encoded = EncodedPhotos(dev, images, texts)
    calibration = write_calibration(folder, model, train, encoded, seed=seed, progress=progress)
    config = replace(config, dev=metrics, files={**config.files, **calibration})
    write_card(folder, config)
    write_config(folder, config)
    return metrics


def _config(model: AdaptedModel, training: dict[str, Any], files: dict[str, str]) -> ModelConfig:
    """Return the configuration of the new model, without dev metrics.

    What the training does not change, such as the framing of photos, is taken over from the base model.
    """
    encoder = model.base.encoder
    base = {"name": model.base.name, "fingerprint": encoder.fingerprint, **model.gain.as_json()}
    return replace(
        encoder.config,
        preset=model.preset.name,
        backbone=model.base.name,
        dim=encoder.dim if model.network is None else model.preset.dim,
        training={**training, **run_facts(model.history), "base": base},
        dev={},
        files=files,
        cells={},
        cost={},  # measured without the branches
    )


def _check_towers(written: Encoder, model: AdaptedModel, dev: CaptionedPhotos) -> None:
    """Compare the written towers with the network in PyTorch.

    Raises ``RuntimeError`` if their vectors differ. Both encode the same batches: with some quantised towers
    a vector changes with the rest of its batch.
    """
    photos, texts = dev.photos[:_CHECKED], dev.texts[:_CHECKED]
    pairs = {
        "image": (written.encode_images(photos), model.image_rows(model.base.encoder.encode_images(photos))),
        "text": (written.encode_texts(texts), model.text_rows(model.base.encoder.encode_texts(texts))),
    }
    for name, (found, expected) in pairs.items():
        least = float((found * expected).sum(axis=1).min())
        if least < _LEAST_COSINE:
            raise RuntimeError(f"the exported {name} tower is at a cosine of {least:.6f} to the trained one")


def _copy_papers(base: Path, folder: Path) -> None:
    """Copy the card, the notice and the licence of the base model."""
    folder.mkdir(exist_ok=True)
    for path in base.iterdir():
        if path.is_dir() and path.name == BASE:
            shutil.copytree(path, folder / BASE, dirs_exist_ok=True)
        elif path.is_file() and path.name.startswith((CARD, NOTICE, "LICENSE", "LICENCE", "README")):
            shutil.copyfile(path, folder / path.name)
