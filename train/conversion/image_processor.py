"""The preparation of photos that a model of transformers was published with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

from twobranch.common.errors import ModelError
from twobranch.embedding.preparation import Filter, Framing
from twobranch.train.conversion.source_files import read_table
from twobranch.train.conversion.source_model import PixelScaling

_FILE = "preprocessor_config.json"
_LATER_FILE = "processor_config.json"  # newer versions write all processors into one file
# By the numbers that Pillow has for them.
_FILTERS: tuple[Filter, ...] = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
# Classes that crop where the file does not say. Their `size`, where it is one number, is the shorter side.
_CROPPING = ("CLIP", "ChineseCLIP")


def read_processor(folder: Path, image_size: int) -> tuple[Framing, PixelScaling]:
    """Return the framing and scaling of a model for photos of ``image_size``.

    Raises ``ModelError`` for a preparation that this program does not have.
    """
    path = folder / _FILE
    if path.is_file() or not (folder / _LATER_FILE).is_file():
        settings = read_table(path)
    else:
        path = folder / _LATER_FILE
        settings = read_table(path).get("image_processor", {})
    return _framing(path, settings, image_size), _scaling(path, settings)


def _framing(path: Path, settings: dict[str, Any], image_size: int) -> Framing:
    kind = str(settings.get("image_processor_type") or settings.get("feature_extractor_type") or "CLIP")
    crops = kind.startswith(_CROPPING)
    size = settings.get("size", image_size)
    if not isinstance(size, dict):
        size = {"shortest_edge": size} if crops else {"height": size, "width": size}
    cut = _square(settings.get("crop_size", image_size)) if settings.get("do_center_crop", crops) else None
    shorter, sides = size.get("shortest_edge"), (size.get("height"), size.get("width"))
    if not settings.get("do_resize", True):
        raise _other(path, "photos are not resized", image_size)
    if sides == (image_size, image_size) and cut in (None, image_size):
        fit = "squash"
    elif shorter == image_size and cut == image_size and size.keys() == {"shortest_edge"}:
        fit = "crop"
    else:
        raise _other(path, f"size is {size} and crop_size {cut}", image_size)
    resample = settings.get("resample", 3)
    if resample not in range(len(_FILTERS)):
        raise _other(path, f"resample is {resample!r:.40}", image_size)
    return Framing(cast(Any, fit), _FILTERS[resample], "floor")


def _square(size: Any) -> Any:
    """Return the side of a square given by two."""
    sides = list(size.values()) if isinstance(size, dict) else []
    return sides[0] if len(sides) == 2 and sides[0] == sides[1] else size


def _other(path: Path, fact: str, image_size: int) -> ModelError:
    return ModelError(
        f"{path}: {fact}; this program makes squares of {image_size} pixels, the size in the configuration, "
        "by squashing, or by scaling the shorter side and cropping"
    )


def _scaling(path: Path, settings: dict[str, Any]) -> PixelScaling:
    factor = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
    if not settings.get("do_normalize", True):
        return PixelScaling(factor, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return checked_scaling(path, factor, settings.get("image_mean"), settings.get("image_std"))


def checked_scaling(path: Path, factor: float, mean: Any, std: Any) -> PixelScaling:
    """Return the scaling. Raises ``ModelError`` unless ``mean`` and ``std`` are three numbers each."""
    try:
        red, green, blue = map(float, mean)
        of_red, of_green, of_blue = map(float, std)
        numbers = (red, green, blue, of_red, of_green, of_blue)
        if all(map(math.isfinite, numbers)) and min(numbers[3:]) > 0:
            return PixelScaling(factor, (red, green, blue), (of_red, of_green, of_blue))
    except (TypeError, ValueError):
        pass
    raise ModelError(f"{path}: mean {mean!r:.60} and std {std!r:.60} are not those of RGB pixels")
