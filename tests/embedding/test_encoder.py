"""The shipped encoder: order, batches, and what a vector may depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from twobranch.common.errors import ImageError, ModelError
from twobranch.embedding.encoder import TEXT_BATCH, Encoder, mean_over_views

BICUBIC = Image.Resampling.BICUBIC
CENTRE = (3.6, 2.4, 44.4, 29.6)  # 85 % of 48 x 32 pixels


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


@pytest.mark.parametrize(
    "photo", ["a.jpg", Path("a.jpg"), Image.new("RGB", (8, 8))], ids=["str", "path", "image"]
)
def test_one_photo_or_text_is_no_list(shipped: Encoder, photo: str | Path | Image.Image) -> None:
    """A text is a sequence of letters: it would give as many vectors, and no error."""
    with pytest.raises(TypeError, match=r"images is a .*; pass a list of photos"):
        shipped.encode_images(photo)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="texts is a str; pass a list of texts"):
        shipped.encode_texts("a dog")
    assert len(shipped.encode_texts(("a dog", "a cat"))) == 2  # any other sequence will do


def test_lone_surrogates_are_no_words(shipped: Encoder) -> None:
    """A byte of a command line that is not UTF-8 is one, and so is half a pair in JSON."""
    for sentence in ("a dog \udce9", "a dog \ud800"):
        assert shipped.encode_texts([sentence]) == pytest.approx(shipped.encode_texts(["a dog"]))
        assert shipped.knows(sentence)
        assert shipped.unknown_words(sentence) == []
    assert not shipped.knows("\ud800")


def test_a_photo_has_one_vector_whatever_stands_beside_it(shipped: Encoder) -> None:
    photos = noise(19)
    together = shipped.encode_images(photos)
    alone = np.concatenate([shipped.encode_images([photo]) for photo in photos])
    assert np.abs(together - alone).max() < 1e-5


def test_the_mean_over_views_by_hand() -> None:
    """A white view is (1, 0), a black one (0.6, 0.8)."""

    def encode(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        white = pixels[:, 0, 0, 0] == 255
        return np.where(white[:, None], (1, 0), (0.6, 0.8)).astype(np.float32)

    photos = np.zeros((2, 2, 8, 8, 3), dtype=np.uint8)
    photos[0, 0] = photos[1] = 255  # one photo with a white and a black view, one with two white ones
    mean = mean_over_views(encode, photos)
    assert mean.dtype == np.float32
    # (1, 0) + (0.6, 0.8) has the length 0.8 * sqrt(5)
    assert mean == pytest.approx(np.array([(2 / np.sqrt(5), 1 / np.sqrt(5)), (1, 0)]))


def test_tta_is_the_mean_of_the_photo_and_its_mirrored_centre(shipped: Encoder) -> None:
    tta = Encoder.load("default", tta=True)
    photos = noise(2)
    centres = [ImageOps.mirror(photo.resize((shipped.image_size,) * 2, BICUBIC, CENTRE)) for photo in photos]
    both = shipped.encode_images(photos) + shipped.encode_images(centres)
    mean = both / np.linalg.norm(both, axis=1, keepdims=True)
    assert tta.encode_images(photos) == pytest.approx(mean, abs=1e-5)
    assert tta.encode_images([]).shape == (0, shipped.dim)
    assert tta.fingerprint != shipped.fingerprint


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


def test_all_cores_give_the_vectors_of_one(shipped: Encoder) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 320, 320, 3), dtype=np.uint8)
    by_all, by_one = shipped.encode_pixels(pixels), shipped.encode_views(pixels[:, None])
    assert np.abs(by_all - by_one).max() < 1e-5
    assert shipped.encode_pixels(pixels[:0]).shape == (0, shipped.dim)


def test_cuda_where_onnx_runtime_has_none() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime is built for CUDA")
    with pytest.raises(ModelError, match=r"no CUDA.*pip install 'onnxruntime-gpu.*--device cpu"):
        Encoder.load("default", device="cuda")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_build_for_cuda_without_a_graphics_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider"])
    encoder = Encoder.load("default", device="cuda")  # its session then falls back to the processor
    with pytest.raises(ModelError, match=r"image\.onnx: .*cuda"):
        encoder.encode_images(noise(1))


def test_a_checked_model_has_no_text_tower_in_memory(tmp_path: Path) -> None:
    """Indexing photos begins with a check. The tower is loaded anew with the first text."""
    smallmodel = pytest.importorskip("tests.smallmodel")
    encoder = Encoder.load(smallmodel.write_model(tmp_path / "small"))
    encoder.check()
    (tmp_path / "small" / "text.onnx").unlink()
    with pytest.raises(ModelError, match=r"text\.onnx: the tower cannot be loaded"):
        encoder.encode_texts(["red"])
