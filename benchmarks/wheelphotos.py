"""Photographs that lie in Python wheels: test material without a download at run time.

Every picture in the list was looked at; drawings, logos, scans, textures without a subject and film stills
were left out. A photo is read from the installed package, else from a wheel file in a given folder, so
that a package of gigabytes need not be installed for the sake of one picture.
"""

from __future__ import annotations

import bz2
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class PhotoPackage:
    """A distribution and the photos in it, as paths below site-packages."""

    distribution: str  # what `pip download` calls it
    files: tuple[str, ...]


def _within(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


# ImageNet photos that foolbox uses as samples: number and class. Classes are not taken as answers, the
# photos were looked at (what is labelled "prayer rug" is stained glass).
_FOOLBOX = (243, 559, 438, 990, 949, 853, 609, 609, 915, 455, 541, 630, 741, 471, 129, 99, 251, 22, 317, 305)

PACKAGES = (
    PhotoPackage(
        "scikit-image",
        _within(
            "skimage/data",
            *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png"),
            *("grass.png", "gravel.png", "hubble_deep_field.jpg", "moon.png", "motorcycle_left.png"),
            *("motorcycle_right.png", "retina.jpg", "rocket.jpg"),
        ),
    ),
    PhotoPackage("scikit-learn", _within("sklearn/datasets/images", "china.jpg", "flower.jpg")),
    PhotoPackage("matplotlib", ("matplotlib/mpl-data/sample_data/grace_hopper.jpg",)),
    PhotoPackage("imgaug", ("imgaug/quokka.jpg",)),
    PhotoPackage("ultralytics", _within("ultralytics/assets", "bus.jpg", "zidane.jpg")),
    PhotoPackage(
        "gradio",
        (
            *_within("gradio/media_assets/images", "cheetah.jpg", "cheetah1.jpg", "lion.jpg", "tower.jpg"),
            "gradio/test_data/cheetah2.jpg",
        ),
    ),
    PhotoPackage(
        "foolbox",
        _within("foolbox/data", *(f"imagenet_{i:02}_{label}.jpg" for i, label in enumerate(_FOOLBOX))),
    ),
    # A raccoon; later versions fetch it from the network instead.
    PhotoPackage("scipy==1.11.4", ("scipy/misc/face.dat",)),
)


def read_photos(wheels: Path | None = None) -> tuple[dict[str, Image.Image], dict[str, str]]:
    """The photos at hand by file name, and where each distribution's came from ("missing" if nowhere)."""
    photos: dict[str, Image.Image] = {}
    origin: dict[str, str] = {}
    for package in PACKAGES:
        found = dict(_installed(package))
        origin[package.distribution] = "installed"
        if len(found) < len(package.files):
            found = dict(_from_wheel(package, wheels)) if wheels else {}
            origin[package.distribution] = "wheel file" if found else "missing"
        photos |= {PurePosixPath(path).name: _decode(path, data) for path, data in found.items()}
    return photos, origin


def _installed(package: PhotoPackage) -> Iterator[tuple[str, bytes]]:
    spec = importlib.util.find_spec(package.files[0].split("/")[0])
    if spec is not None and spec.submodule_search_locations:
        site = Path(spec.submodule_search_locations[0]).parent
        for path in package.files:
            if (site / path).is_file():
                yield path, (site / path).read_bytes()


def _from_wheel(package: PhotoPackage, wheels: Path) -> Iterator[tuple[str, bytes]]:
    stem = package.distribution.replace("-", "_").replace("==", "-")
    for wheel in sorted(wheels.glob(f"{stem}-*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            inside = set(archive.namelist())
            yield from ((path, archive.read(path)) for path in package.files if path in inside)


def _decode(path: str, data: bytes) -> Image.Image:
    if path.endswith("face.dat"):  # scipy's own: bare pixels
        return Image.fromarray(np.frombuffer(bz2.decompress(data), np.uint8).reshape(768, 1024, 3))
    return Image.open(io.BytesIO(data))
