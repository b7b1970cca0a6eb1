"""The forms in which preprocessor_config.json was written over the years."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tests.train.conversion.smallmodels import clip_preprocessing, write_json
from twobranch.common.errors import ModelError
from twobranch.embedding.preparation import Framing
from twobranch.train.conversion.image_processor import read_processor
from twobranch.train.conversion.source_model import PixelScaling

CLIP = clip_preprocessing()
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
# As openai/clip-vit-base-patch32 has it: numbers for sizes, and the name of a class that is gone.
OLD = {name: CLIP[name] for name in ("do_center_crop", "image_mean", "image_std", "resample")} | {
    "crop_size": 32,
    "size": 32,
    "feature_extractor_type": "CLIPFeatureExtractor",
}
FORMS: dict[str, tuple[dict[str, Any], Framing]] = {
    "of today": (CLIP, Framing("crop", "bicubic", "floor")),
    "old": (OLD, Framing("crop", "bicubic", "floor")),
    "old, not said to crop": (
        {name: value for name, value in OLD.items() if name != "do_center_crop"},
        Framing("crop", "bicubic", "floor"),
    ),
    "one number for both sides": (
        HALF | {"image_processor_type": "ViTImageProcessor", "size": 32, "resample": 2},
        Framing("squash", "bilinear", "floor"),
    ),
    "of the version for tensors": (
        HALF | {"image_processor_type": "SiglipImageProcessorFast", "size": {"height": 32, "width": 32}},
        Framing("squash", "bicubic", "floor"),
    ),
}


def read(folder: Path, settings: dict[str, Any]) -> tuple[Framing, PixelScaling]:
    write_json(folder / "preprocessor_config.json", settings)
    return read_processor(folder, 32)


@pytest.mark.parametrize("form", FORMS)
def test_framing(form: str, tmp_path: Path) -> None:
    settings, framing = FORMS[form]
    assert read(tmp_path, settings)[0] == framing


def test_scaling(tmp_path: Path) -> None:
    mean, std = tuple(CLIP["image_mean"]), tuple(CLIP["image_std"])
    assert read(tmp_path, OLD)[1] == PixelScaling(1 / 255, mean, std)
    assert read(tmp_path, CLIP | {"do_rescale": False})[1] == PixelScaling(1.0, mean, std)
    plain = PixelScaling(1 / 127.5, (0, 0, 0), (1, 1, 1))
    assert read(tmp_path, CLIP | {"do_normalize": False, "rescale_factor": 1 / 127.5})[1] == plain


@pytest.mark.parametrize(
    "change",
    [
        {"size": {"shortest_edge": 36}},  # cut out of a larger photo
        {"size": {"longest_edge": 32}},
        {"crop_size": {"height": 32, "width": 16}},
        {"do_resize": False},
        {"resample": 9},
    ],
)
def test_other_preparations_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"preprocessor_config.json: .*; this program makes squares of 32"):
        read(tmp_path, CLIP | change)
