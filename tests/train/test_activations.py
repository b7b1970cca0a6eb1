"""Cached activations belong to the right photo, whatever was interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes import write_photo
from twobranch.common.errors import UserError
from twobranch.common.progress import SILENT
from twobranch.train.sides.activations import ActivationCache, Activations, Extractor, photo_activations

SHAPE = (2, 2, 3)
FEATURES = np.zeros((1, 2, 3), np.float32)


def brightness(pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
    """(n, 2, 2, 3): the mean colour of each view in every cell."""
    means = pixels.mean(axis=(1, 2)).astype(np.float16)  # (n, 3)
    return np.broadcast_to(means[:, None, None], (len(means), *SHAPE))


def activations(photos: list[Path], cache: Path, calls: list[int] | None = None) -> Activations:
    def extract(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        if calls is not None:
            calls.append(len(pixels))
        return brightness(pixels), pixels.mean(axis=(1, 2), dtype=np.float32)

    return photo_activations(
        photos,
        Extractor("mean", lambda: extract, size=8, shape=SHAPE),
        n_views=3,
        cache=cache,
        progress=SILENT,
    )


def test_every_photo_gets_its_own_block_and_only_new_ones_are_computed(tmp_path: Path) -> None:
    colors = [(10 * i, 20, 30) for i in range(10)]
    photos = [write_photo(tmp_path / f"{i}.png", color) for i, color in enumerate(colors)]
    (tmp_path / "bad.png").write_bytes(b"junk")
    calls: list[int] = []
    activations(photos[:4], tmp_path / "cache", calls)
    found = activations([*reversed(photos), tmp_path / "bad.png"], tmp_path / "cache", calls)
    assert calls == [4 * 3, 6 * 3]  # photos times views
    assert [failure.path for failure in found.failed] == [tmp_path / "bad.png"]
    for photo, color in zip(photos, colors, strict=True):
        block = found.array[found.rows[photo]]
        assert block.shape == (3, *SHAPE)
        # The photo has its colour, and so have its features; the other views are relit.
        assert np.allclose(block[0], color, atol=1)
        assert np.allclose(found.features[photo][0], color, atol=1)
        assert found.features[photo].shape == (3, 3)


def test_a_block_whose_row_was_never_committed_is_written_over(tmp_path: Path) -> None:
    cache = ActivationCache(tmp_path, "mean", SHAPE)
    cache.put([b"a"], np.full((1, *SHAPE), 1, np.float16), FEATURES)
    with (tmp_path / "mean.f16").open("ab") as file:  # killed between writing and committing
        file.write(b"\x00" * 24)
    cache.put([b"b"], np.full((1, *SHAPE), 2, np.float16), FEATURES)
    rows, array = cache.rows(), cache.array()
    assert (array[rows[b"a"]].max(), array[rows[b"b"]].min(), len(array)) == (1, 2, 2)


def test_a_file_that_was_cut_is_noticed(tmp_path: Path) -> None:
    cache = ActivationCache(tmp_path, "mean", SHAPE)
    cache.put([b"a"], np.ones((1, *SHAPE), np.float16), FEATURES)
    (tmp_path / "mean.f16").write_bytes(b"")
    with pytest.raises(UserError, match="delete the cache folder"):
        cache.array()
