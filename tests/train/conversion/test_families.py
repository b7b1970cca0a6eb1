"""Every family of models: pixels, ids and vectors are those of the library it was published with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("transformers")
pytest.importorskip("open_clip")
from tests.train.conversion import smallmodels
from tests.train.conversion.references import OpenClipReference, TransformersReference
from tests.train.conversion.smallmodels import DIM, SIZE, TEXTS, photos
from twobranch.common.progress import SILENT
from twobranch.embedding.conversion.compress import compress_towers
from twobranch.embedding.conversion.converted import Converted
from twobranch.embedding.preparation import Framing, Tokens
from twobranch.embedding.preprocess import load_photo
from twobranch.embedding.text_inputs import TokensInput
from twobranch.embedding.tower import Input, Tower
from twobranch.train.conversion import towers
from twobranch.train.conversion.convert import convert, read_model


@dataclass(frozen=True)
class Family:
    """A small model of a family, and what must come out."""

    write: Callable[[Path], Path]
    reference: Callable[[Path, Path], Any]  # from its folder and an empty path
    framing: Framing
    tokens: Tokens
    max_tokens: int = 64
    dim: int = DIM
    # The library's tokenizer reads only these texts as ours does (see `comparable`).
    comparable: Callable[[str], bool] = lambda text: True


def of_transformers(
    network: str, tokenizer: str, *, masked: bool = False, padded: bool = False
) -> Callable[[Path, Path], Any]:
    return lambda folder, _: TransformersReference(folder, network, tokenizer, masked=masked, padded=padded)


def without_underscores(text: str) -> bool:
    """SigLIP's makers read them as spaces, transformers removes them."""
    return "_" not in text


CROP, SQUASH = Framing("crop", "bicubic", "floor"), Framing("squash", "bicubic", "floor")
FAMILIES = {
    "clip": Family(
        smallmodels.write_clip, of_transformers("CLIPModel", "CLIPTokenizer"), CROP, Tokens(), max_tokens=77
    ),
    "siglip": Family(
        smallmodels.write_siglip,
        of_transformers("SiglipModel", "PreTrainedTokenizerFast", padded=True),
        SQUASH,
        Tokens("canonicalize", padded=True),
        dim=32,
        comparable=without_underscores,
    ),
    "siglip2": Family(
        lambda folder: smallmodels.write_siglip(folder, gemma=True),
        of_transformers("SiglipModel", "Siglip2Tokenizer", padded=True),
        Framing("squash", "bilinear", "floor"),
        Tokens("lower", padded=True),
        dim=32,
        comparable=lambda text: text == text.strip(),  # ours also takes single spaces only
    ),
    "chinese_clip": Family(
        smallmodels.write_chinese_clip,
        of_transformers("ChineseCLIPModel", "BertTokenizer", masked=True),
        SQUASH,
        Tokens(),
        max_tokens=52,
    ),
    "altclip": Family(
        smallmodels.write_altclip,
        of_transformers("AltCLIPModel", "PreTrainedTokenizerFast", masked=True),
        CROP,
        Tokens(),
    ),
    "open_clip": Family(
        smallmodels.write_open_clip_clip,
        OpenClipReference,
        Framing("crop", "bicubic", "round"),
        Tokens("lower"),
        max_tokens=77,
    ),
    "open_clip_siglip": Family(
        smallmodels.write_open_clip_siglip,
        OpenClipReference,
        Framing("squash", "bicubic", "round"),
        Tokens("canonicalize", padded=True),
    ),
    "open_clip_roberta": Family(
        smallmodels.write_open_clip_roberta,
        OpenClipReference,
        Framing("crop", "bicubic", "round"),
        Tokens("whitespace"),
    ),
}


@dataclass(frozen=True)
class Case:
    """A converted model beside its reference."""

    family: Family
    source: Path
    folder: Path  # towers in float32
    converted: Converted
    reference: Any

    def pixels(self) -> NDArray[np.uint8]:
        framing = self.converted.framing
        return np.stack([load_photo(one, SIZE, framing=framing).pixels for one in photos()])

    def texts(self) -> list[str]:
        return [text for text in TEXTS if self.family.comparable(text)]

    def inputs(self, texts: Sequence[str]) -> dict[str, Any]:
        return self.text_input().inputs(texts)

    def text_input(self) -> TokensInput:
        path = self.folder / "tokenizer.json"
        return TokensInput(path, self.converted.max_tokens, self.converted.tokens)

    def image_rows(self) -> NDArray[np.float32]:
        inputs = [Input("pixels", "tensor(uint8)", (None, SIZE, SIZE, 3), "test")]
        tower = Tower(self.folder / "image.onnx", inputs, self.family.dim)
        return tower.run({"pixels": self.pixels()})

    def text_rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tower = Tower(self.folder / "text.onnx", self.text_input().takes, self.family.dim)
        return tower.run(self.inputs(texts))


@pytest.fixture(scope="module", params=FAMILIES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    family = FAMILIES[request.param]
    source = tmp_path_factory.mktemp(request.param)
    folder = tmp_path_factory.mktemp("converted")
    family.write(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(towers, "compress_towers", lambda *_: {})
        converted = convert(source, folder, SILENT)
    reference = family.reference(source, tmp_path_factory.mktemp("reference") / "copy")
    return Case(family, source, folder, converted, reference)


def test_preparation_is_recorded(case: Case) -> None:
    assert (case.converted.framing, case.converted.tokens) == (case.family.framing, case.family.tokens)
    assert (case.converted.image_size, case.converted.max_tokens) == (SIZE, case.family.max_tokens)


def test_pixels_are_those_of_the_processor(case: Case) -> None:
    scaling = read_model(case.source).image.scaling
    values = (case.pixels() * scaling.factor - np.array(scaling.mean)) / np.array(scaling.std)
    np.testing.assert_allclose(values.transpose(0, 3, 1, 2), case.reference.pixels(photos()), atol=1e-5)


def test_ids_are_those_of_the_tokenizer(case: Case) -> None:
    for text in case.texts():
        ours, theirs = case.inputs([text])["input_ids"][0].tolist(), case.reference.ids(text)
        # Where ours are not padded, theirs may be: padding does not change what comes before it.
        assert ours == theirs[: len(ours)]
        assert len(set(theirs[len(ours) :])) <= 1


def test_vectors_of_photos_are_those_of_the_library(case: Case) -> None:
    np.testing.assert_allclose(case.image_rows(), case.reference.image_rows(photos()), atol=1e-4)


def test_vectors_of_texts_are_those_of_the_library(case: Case) -> None:
    texts = case.texts()
    np.testing.assert_allclose(case.text_rows(texts), case.reference.text_rows(texts), atol=1e-4)


def test_vectors_differ(case: Case) -> None:
    """Otherwise the tests above would compare constants."""
    for rows in (case.image_rows(), case.text_rows(case.texts())):
        assert (rows @ rows.T)[~np.eye(len(rows), dtype=bool)].min() < 0.95


def test_compressed_towers_give_nearly_the_same_vectors(case: Case) -> None:
    images, texts = case.image_rows(), case.text_rows(case.texts())
    compress_towers(case.folder, SIZE, case.text_input())
    np.testing.assert_allclose(case.image_rows(), images, atol=2e-3)  # float16 has 11 bits
    assert np.sum(case.text_rows(case.texts()) * texts, axis=1).min() >= 0.99  # int8
