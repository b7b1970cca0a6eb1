"""Framing and tokens of converted models: a square out of a photo, ids out of a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.smallmodel import DIM, SIZE, image_tower, seal, write_model
from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import read_config
from twobranch.embedding.preparation import Framing, Tokens
from twobranch.embedding.preprocess import View, load_photo, load_views
from twobranch.embedding.text_inputs import CLEANERS, TokensInput
from twobranch.embedding.tower import Input, Tower


def stripes(width: int, height: int) -> Image.Image:
    """A photo whose red is its column and whose green is its row."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.arange(width)
    pixels[..., 1] = np.arange(height)[:, None]
    return Image.fromarray(pixels)


def framed_pixels(photo: Image.Image, size: int, **framing: str) -> np.ndarray:
    return load_photo(photo, size, framing=Framing.of(framing)).pixels


def test_crop_keeps_the_middle_of_the_longer_side() -> None:
    # 16 x 8 at the size of its shorter side is not scaled: of 16 columns the middle 8 stay, 4 to 11.
    pixels = framed_pixels(stripes(16, 8), 8, fit="crop")
    assert pixels[0, :, 0].tolist() == list(range(4, 12))
    assert pixels[:, 0, 1].tolist() == list(range(8))


@pytest.mark.parametrize(("margin", "first"), [("floor", 1), ("round", 2)])
def test_margin_decides_about_half_a_pixel(margin: str, first: int) -> None:
    # Of 11 columns 8 stay: a margin of 1.5, which Python rounds to the even 2.
    pixels = framed_pixels(stripes(11, 8), 8, fit="crop", margin=margin)
    assert pixels[0, 0, 0] == first


def test_crop_is_that_of_the_upright_photo(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    stripes(16, 8).save(tmp_path / "a.png", exif=exif)
    pixels = load_photo(tmp_path / "a.png", 8, framing=Framing("crop")).pixels
    # Upright it is 8 x 16: columns run down, and its middle rows 4 to 11 stay.
    assert pixels[:, 0, 0].tolist() == list(range(4, 12))


def test_a_very_long_strip_does_not_fill_the_memory() -> None:
    strip = Image.new(
        "RGB", (60_000, 2), "red"
    )  # scaled by its shorter side it would have 1.5 billion pixels
    assert framed_pixels(strip, 224, fit="crop").shape == (224, 224, 3)


def test_views_of_a_crop_are_crops_of_parts() -> None:
    right_half = View(0.5, left=0.5, top=0, framing=Framing("crop"))
    pixels = load_views(stripes(32, 16), 8, [right_half]).pixels[0]
    # The part is 16 x 8 and begins at column 16; its middle begins 4 further right.
    assert pixels[0, :, 0].tolist() == list(range(20, 28))


@pytest.mark.parametrize("side", [16, 24])
def test_a_detail_of_two_is_nearer_to_the_whole_photo(tmp_path: Path, side: int) -> None:
    # Fine noise of 96 pixels. At a detail of 1 it is decoded at 24 pixels, and is another picture then.
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", quality=95)
    whole = Image.open(tmp_path / "a.jpg").resize((side, side), Image.Resampling.BICUBIC)
    one, two = (
        np.abs(load_photo(tmp_path / "a.jpg", side, framing=framing).pixels - np.asarray(whole, float)).mean()
        for framing in (Framing(detail=1), Framing(detail=2))
    )
    assert two < one


def test_filter_is_the_models_own() -> None:
    photo = stripes(64, 64)
    expected = np.asarray(photo.resize((8, 8), Image.Resampling.BILINEAR))
    assert (framed_pixels(photo, 8, filter="bilinear") == expected).all()
    assert (framed_pixels(photo, 8) != expected).any()


@pytest.mark.parametrize(
    ("cleaning", "expected"),
    [
        ("none", " A  dog_house, \n isn't it? "),
        ("whitespace", "A dog_house, isn't it?"),
        ("lower", "a dog_house, isn't it?"),
        ("canonicalize", "a dog house isnt it"),
    ],
)
def test_cleaning(cleaning: str, expected: str) -> None:
    assert CLEANERS[cleaning](" A  dog_house, \n isn't it? ") == expected  # type: ignore[index]


def tokenizer_file(folder: Path) -> Path:
    """A tokenizer of three words, which pads to five tokens with 0."""
    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2, "dog": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(length=5, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(5)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def test_padded_tokens_have_the_length_in_the_file(tmp_path: Path) -> None:
    text = TokensInput(tokenizer_file(tmp_path), 5, Tokens("lower", padded=True))
    assert text.inputs(["A  Dog"])["input_ids"].tolist() == [[2, 3, 0, 0, 0]]
    assert text.inputs(["A  Dog"])["attention_mask"].tolist() == [[1, 1, 0, 0, 0]]
    assert text.inputs(["dog a dog a dog a"])["input_ids"].tolist() == [[3, 2, 3, 2, 3]]
    assert [one.shape for one in text.takes] == [(None, 5), (None, 5)]
    assert (text.knows("A Dog"), text.knows("zebra"), text.unknown_words("a Zebra")) == (
        True,
        False,
        ["zebra"],
    )


def test_tokens_that_are_not_padded_are_as_long_as_the_longest(tmp_path: Path) -> None:
    text = TokensInput(tokenizer_file(tmp_path), 3)
    assert text.inputs(["dog", "a dog"])["input_ids"].tolist() == [[3, 0], [2, 3]]


def test_a_tower_for_one_row_at_a_time_is_run_for_each(tmp_path: Path) -> None:
    image_tower(tmp_path, shape=(1, SIZE, SIZE, 3))
    tower = Tower(
        tmp_path / "image.onnx", (Input("pixels", "tensor(uint8)", (None, SIZE, SIZE, 3), ""),), DIM
    )
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    rows = tower.run({"pixels": pixels})
    assert rows.shape == (3, DIM)
    assert np.allclose(rows[2], tower.run({"pixels": pixels[2:]})[0])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"framing": {"fit": "stretch"}}, "fit in framing is 'stretch' rather than one of squash, crop"),
        ({"framing": {"fill": "black"}}, "framing has an unknown entry 'fill'"),
        ({"tokens": {"padded": "yes"}}, "padded in tokens is 'yes' rather than one of True, False"),
        ({"templates": "a photo"}, "templates is 'a photo'"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, values: dict[str, object], said: str) -> None:
    seal(write_model(tmp_path / "model"), **values)
    with pytest.raises(ModelError, match=said):
        read_config(tmp_path / "model")
