"""A model with a second text tower reads each text with the tower of its language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.smallmodel import VOCABULARY, WORDS, seal, text_tower, tokenizer, write_model
from twobranch.common.errors import ModelError
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import TEXT_TOWER_LANGUAGES, TOKENIZER_LANGUAGES, fingerprint

GERMAN = ("rot", "grün", "blau", "hund")  # in the order of WORDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model that also reads German."""
    folder = write_model(tmp_path / "model")
    pieces = dict(zip(WORDS, GERMAN, strict=True)) | {"a": "ein", "[UNK]": "<unk>"}
    tokenizer(folder, [pieces.get(piece, piece) for piece in VOCABULARY], unknown="<unk>")
    (folder / "tokenizer.json").rename(folder / TOKENIZER_LANGUAGES)
    tokenizer(folder)
    text_tower(folder, TEXT_TOWER_LANGUAGES)
    seal(folder, languages=["de"])
    return folder


def test_each_text_is_read_in_its_own_language(folder: Path) -> None:
    encoder = Encoder.load(folder, verify=True)
    assert [encoder.language_of(text) for text in ("a dog", "ein hund")] == ["en", "de"]
    english, german = encoder.encode_texts(["a dog", "ein hund"])
    assert np.allclose(english, german)
    assert english.argmax() == WORDS.index("dog")


def test_a_language_can_be_asked_for(folder: Path) -> None:
    encoder = Encoder.load(folder)
    assert encoder.unknown_words("ein hund") == []
    assert encoder.unknown_words("ein hund", "en") == ["ein", "hund"]
    assert encoder.knows("ein hund", "de") and not encoder.knows("ein hund", "en")
    # In English both words are unknown: no axis stands out.
    (unknown,) = encoder.encode_texts(["ein hund"], "en")
    assert np.ptp(unknown) < 1e-6


def test_a_tower_is_loaded_when_a_text_needs_it(folder: Path) -> None:
    (folder / TEXT_TOWER_LANGUAGES).unlink()
    encoder = Encoder.load(folder)
    encoder.encode_texts(["a dog"])
    with pytest.raises(ModelError, match=r"text-languages\.onnx: the tower cannot be loaded"):
        encoder.encode_texts(["ein hund"])


def test_a_model_without_the_tower_reads_english_alone(tmp_path: Path) -> None:
    encoder = Encoder.load(write_model(tmp_path / "model"))
    assert encoder.languages == ()
    assert encoder.language_of("ein hund am strand") == "en"
    assert encoder.unknown_words("ein hund", "de") == ["ein", "hund"]


def test_languages_change_the_fingerprint_and_their_absence_does_not(folder: Path, tmp_path: Path) -> None:
    """Vectors of German captions differ; a model folder from before languages keeps its libraries."""
    plain = write_model(tmp_path / "plain")
    assert "languages" not in (plain / "config.json").read_text()
    assert fingerprint(plain) != fingerprint(folder)


def test_languages_that_are_none_are_refused(folder: Path) -> None:
    seal(folder, languages=["de", 5])
    with pytest.raises(ModelError, match="languages is"):
        Encoder.load(folder)
