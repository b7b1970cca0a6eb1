"""Features are computed once for each content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.fakes import write_photo
from twobranch.common.progress import SILENT
from twobranch.train.features import image_features, text_features


class Extractor:
    """The mean colour of a photo; counts what it was asked for."""

    def __init__(self) -> None:
        self.loaded = self.photos = self.sentences = 0

    def for_photos(self) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        self.loaded += 1

        def extract(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.photos += len(pixels)
            return pixels.mean(axis=(1, 2)).astype(np.float32)

        return extract

    def for_sentences(self) -> Callable[[list[str]], NDArray[np.float32]]:
        self.loaded += 1

        def extract(texts: list[str]) -> NDArray[np.float32]:
            self.sentences += len(texts)
            return np.array([[len(text)] for text in texts], dtype=np.float32)

        return extract


def features_of(
    photos: list[Path], extractor: Extractor, cache: Path, name: str = "mean"
) -> NDArray[np.float32]:
    return image_features(
        photos, extractor.for_photos, size=8, extractor=name, cache=cache, progress=SILENT
    ).features


def test_a_second_run_computes_nothing_and_loads_nothing(tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / f"{color}.png", color) for color in ("red", "blue")]
    extractor = Extractor()
    first = features_of(photos, extractor, tmp_path / "cache")
    assert first.tolist() == [[255, 0, 0], [0, 0, 255]]
    assert (extractor.loaded, extractor.photos) == (1, 2)
    second = features_of(photos[::-1], extractor, tmp_path / "cache")
    assert second.tolist() == first[::-1].tolist()
    assert (extractor.loaded, extractor.photos) == (1, 2)


def test_for_a_photo_that_cannot_be_read_nothing_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    extractor = Extractor()
    assert features_of([tmp_path / "bad.png"], extractor, tmp_path / "cache").shape == (0, 0)
    assert extractor.loaded == 0


def test_the_key_is_the_content_not_the_name(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png", "red")
    extractor = Extractor()
    features_of([photo], extractor, tmp_path / "cache")
    features_of([photo.rename(tmp_path / "b.png")], extractor, tmp_path / "cache")
    assert extractor.photos == 1
    write_photo(photo, "blue")  # the old name with another content
    assert features_of([photo], extractor, tmp_path / "cache").tolist() == [[0, 0, 255]]


def test_another_backbone_has_a_cache_of_its_own(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png", "red")
    extractor = Extractor()
    features_of([photo], extractor, tmp_path / "cache", "mean")
    features_of([photo], extractor, tmp_path / "cache", "other")
    assert extractor.photos == 2


def test_a_bad_photo_is_left_out_and_shifts_nothing(tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / f"{color}.png", color) for color in ("red", "blue")]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a photo")
    found = image_features(
        [photos[0], bad, tmp_path / "missing.png", photos[1]],
        Extractor().for_photos,
        size=8,
        extractor="mean",
        cache=tmp_path / "cache",
        progress=SILENT,
    )
    assert {photo.name: found.features[row].tolist() for photo, row in found.rows.items()} == {
        "red.png": [255, 0, 0],
        "blue.png": [0, 0, 255],
    }
    assert sorted(str(error.path) for error in found.failed) == sorted(
        [str(bad), str(tmp_path / "missing.png")]
    )


def test_sentences_are_cached_too(tmp_path: Path) -> None:
    extractor = Extractor()

    def features(texts: list[str]) -> NDArray[np.float32]:
        return text_features(
            texts, extractor.for_sentences, extractor="length", cache=tmp_path, progress=SILENT
        )

    assert features(["a", "bbb", "a"]).tolist() == [[1], [3], [1]]
    assert features(["bbb", "cc"]).tolist() == [[3], [2]]
    assert extractor.sentences == 3
