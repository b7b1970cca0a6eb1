"""The choice of templates: what gains on dev is kept, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.smallmodel import seal, write_model
from twobranch.common.errors import UserError
from twobranch.embedding.encoder import Encoder
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output import templates as module
from twobranch.train.output.templates import (
    choose,
    least_gain,
    reciprocal_ranks,
    short_texts,
    write_templates,
)


def photos_with(texts: list[str]) -> CaptionedPhotos:
    names = tuple(Path(f"{i}.png") for i in range(len(texts)))
    return CaptionedPhotos(names, tuple(texts), np.arange(len(texts)))


def test_short_texts_are_those_of_one_photo_and_few_words() -> None:
    dev = photos_with(["a dog", "a cat", "a dog", "a very long text indeed", "red"])
    assert short_texts(dev).tolist() == [1, 4]


def test_reciprocal_ranks_in_percent() -> None:
    images = np.array([[1, 0], [0, 1]], dtype=np.float32)
    # The first text is nearest to the other photo (rank 2), the second to its own.
    texts = np.array([[0.6, 0.8], [0, 1]], dtype=np.float32)
    assert reciprocal_ranks(images, texts, np.array([0, 1])).tolist() == [50, 100]


def test_a_gain_is_believed_if_resampling_does_not_undo_it() -> None:
    rng = np.random.default_rng(0)
    before = rng.uniform(0, 100, 200)
    assert least_gain(before, before + 1, np.random.default_rng(1)) == pytest.approx(1)
    noisy = before + rng.normal(0.1, 30, 200)
    assert least_gain(before, noisy, np.random.default_rng(1)) < 0


class Half:
    """An encoder whose photos are axes, and which finds a text's photo only behind "a photo of"."""

    def encode_images(self, photos: object) -> np.ndarray:
        return np.eye(60, dtype=np.float32)

    def encode_queries(self, texts: list[str], *, templates: tuple[str, ...]) -> np.ndarray:
        rows = np.eye(60, dtype=np.float32)[[int(text) for text in texts]]
        return rows if "a photo of {}" in templates else -rows


def test_the_set_that_gains_most_is_chosen() -> None:
    chosen = choose(Half(), photos_with([str(i) for i in range(60)]), seed=1)  # type: ignore[arg-type]
    assert "a photo of {}" in chosen


def test_nothing_is_chosen_where_nothing_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETS", (("a picture of {}",),))
    assert choose(Half(), photos_with([str(i) for i in range(60)]), seed=1) == []  # type: ignore[arg-type]


def test_too_few_texts_are_an_error() -> None:
    with pytest.raises(UserError, match="3 dev texts of up to 3 words, and"):
        choose(Half(), photos_with(["1", "2", "3"]), seed=1)  # type: ignore[arg-type]


def test_they_are_written_and_the_model_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "model")
    seal(folder)
    before = Encoder.load(folder).fingerprint
    monkeypatch.setattr(module, "choose", lambda *_, **__: ["a photo of {}"])
    dev = photos_with(["red"])
    write_templates(str(folder), dev, dev, seed=1)
    after = Encoder.load(folder, verify=True)
    assert (after.config.templates, after.fingerprint) == (["a photo of {}"], before)
