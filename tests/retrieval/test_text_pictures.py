"""Pictures of text are told by their vectors, and what tells them is kept in the library folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEncoder
from twobranch.retrieval.text_pictures import SENTENCES, TEXT, TextPictures

# To the fake encoder each of the sentences is (0, 0, 0, 1), and so is their mean.
ROWS = np.array([[0, 0, 0, 1], [0, 0, np.sqrt(1 - TEXT**2), TEXT], [0, 0, 0.995, 0.1]], dtype=np.float32)
FOUND = [True, True, False]


def find(encoder: FakeEncoder, library: Path) -> list[bool]:
    return TextPictures(lambda: encoder, encoder.fingerprint, library).find(ROWS).tolist()  # type: ignore[arg-type]


def test_pictures_near_to_the_sentences_are_of_text(tmp_path: Path, encoder: FakeEncoder) -> None:
    assert find(encoder, tmp_path) == FOUND


def test_the_sentences_are_encoded_once_for_a_library_and_model(tmp_path: Path) -> None:
    encoder, other = FakeEncoder(), FakeEncoder(fingerprint="fake-2")
    assert find(encoder, tmp_path) == find(encoder, tmp_path) == FOUND
    assert encoder.encoded_texts == len(SENTENCES)
    assert find(other, tmp_path) == FOUND
    assert other.encoded_texts == len(SENTENCES)


@pytest.mark.parametrize("keep", [0, 20, 40])
def test_a_damaged_file_is_made_anew(tmp_path: Path, keep: int) -> None:
    find(FakeEncoder(), tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:keep])
    assert find(FakeEncoder(), tmp_path) == FOUND
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written(tmp_path: Path, encoder: FakeEncoder) -> None:
    assert find(encoder, tmp_path / "no such folder") == FOUND
