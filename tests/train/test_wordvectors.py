"""Word vectors in every format people have them in."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from twobranch.common.errors import UserError
from twobranch.train.sides.word_vectors import load_word_vectors

WORDS = ["the", "dog", "zebra"]
VECTORS = np.array([[1, 2], [3, 4], [5, 6.5]], dtype=np.float32)


def write(path: Path) -> Path:
    vectors = KeyedVectors(2)
    vectors.add_vectors(WORDS, VECTORS)
    if path.name.startswith("glove"):
        text = "".join(
            f"{word} {' '.join(map(str, row))}\n" for word, row in zip(WORDS, VECTORS, strict=True)
        )
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    else:
        vectors.save_word2vec_format(str(path), binary=path.suffix == ".bin")
    return path


@pytest.mark.parametrize("name", ["word2vec.txt", "word2vec.bin", "glove.txt", "glove.txt.gz"])
def test_every_format_gives_the_same_vectors(tmp_path: Path, name: str) -> None:
    loaded = load_word_vectors(write(tmp_path / name))
    assert list(loaded.rows) == WORDS
    assert np.array_equal(loaded.vectors, VECTORS)


def test_the_glove_wheel() -> None:
    glove = load_word_vectors()
    assert glove.vectors.shape == (400_000, 50)
    assert list(glove.rows)[:3] == ["the", ",", "."]  # frequent words first
    # GloVe's published first numbers for "the"
    assert glove.vectors[glove.rows["the"]][:3] == pytest.approx([0.418, 0.24968, -0.41242])


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such word-vector file"):
        load_word_vectors(tmp_path / "no.txt")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(UserError, match="neither word2vec nor GloVe"):
        load_word_vectors(tmp_path / "empty.txt")
    (tmp_path / "prose.txt").write_text("this is not\na file of vectors\n")
    with pytest.raises(UserError, match="neither word2vec nor GloVe"):
        load_word_vectors(tmp_path / "prose.txt")
