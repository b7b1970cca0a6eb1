from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import wheelphotos
from benchmarks.vocabulary import read_queries
from benchmarks.wheelphotos import PACKAGES, PhotoPackage, read_photos
from twobranch.train.sides.class_names import imagenet_class_names


def test_a_photo_is_read_from_a_wheel_file_when_its_package_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(data, "PNG")
    with zipfile.ZipFile(tmp_path / "no_such_thing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("no_such_thing/red.png", data.getvalue())
    packages = (
        PhotoPackage("no-such-thing", ("no_such_thing/red.png",)),
        PhotoPackage("nor-this==2.0", ("nor_this/blue.png",)),
    )
    monkeypatch.setattr(wheelphotos, "PACKAGES", packages)
    photos, origin = read_photos(tmp_path)
    assert {name: photo.size for name, photo in photos.items()} == {"red.png": (8, 8)}
    assert origin == {"no-such-thing": "wheel file", "nor-this==2.0": "missing"}


def test_every_answer_is_a_photo_of_the_list_and_every_class_an_imagenet_class() -> None:
    files = [path.rsplit("/", 1)[1] for package in PACKAGES for path in package.files]
    assert len(set(files)) == len(files)  # photos go by their file name alone
    queries = read_queries()
    assert {photo for query in queries for photo in query.photos} <= set(files)
    assert {query.class_name for query in queries} - {""} <= set(imagenet_class_names())
    assert len({query.text for query in queries}) == len(queries)
