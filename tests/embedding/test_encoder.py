"""The shipped encoder: order, batches, and what a vector may depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedding.encoder import IMAGE_BATCH, TEXT_BATCH, Encoder
from embedding.errors import ImageError, ModelError


@pytest.fixture(scope="module")
def shipped() -> Encoder:
    return Encoder.load("default", verify=True)


def noise(n: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)) for _ in range(n)]


def test_embeddings_are_float32_unit_rows(shipped: Encoder) -> None:
    for vectors in (shipped.encode_images(noise(3)), shipped.encode_texts(["a dog", "two dogs", "snow"])):
        assert (vectors.shape, vectors.dtype) == ((3, shipped.dim), np.float32)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_a_sentence_has_one_vector_whatever_stands_beside_it(shipped: Encoder) -> None:
    texts = ["dog", "a much longer sentence about two brown dogs that run through deep snow"] * TEXT_BATCH
    together = shipped.encode_texts(texts)
    alone = np.concatenate([shipped.encode_texts([text]) for text in texts[:2]])
    assert np.abs(together - np.tile(alone, (TEXT_BATCH, 1))).max() < 1e-5


def test_a_photo_has_one_vector_whatever_stands_beside_it(shipped: Encoder) -> None:
    photos = noise(IMAGE_BATCH + 3)
    together = shipped.encode_images(photos)
    alone = np.concatenate([shipped.encode_images([photo]) for photo in photos])
    assert np.abs(together - alone).max() < 1e-5


def test_nothing_to_encode(shipped: Encoder) -> None:
    assert shipped.encode_images([]).shape == (0, shipped.dim)
    assert shipped.encode_texts([]).shape == (0, shipped.dim)


def test_long_and_odd_sentences(shipped: Encoder) -> None:
    vectors = shipped.encode_texts(["word " * 5000, "", "日本語 🐶", "\n\t"])
    assert np.isfinite(vectors).all()


def test_signs_that_were_never_seen_are_named(shipped: Encoder) -> None:
    assert shipped.unknown_words("red 🦄 car ᚠᚢ") == ["🦄", "ᚠᚢ"]
    assert shipped.knows("red 🦄")
    assert not shipped.knows("🦄 ᚠᚢ")


def test_a_photo_that_cannot_be_read_is_named(shipped: Encoder, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no\.jpg: no such file"):
        shipped.encode_images([tmp_path / "no.jpg"])


def test_a_missing_model_is_named() -> None:
    with pytest.raises(ModelError, match="no-such-model"):
        Encoder.load("no-such-model")
