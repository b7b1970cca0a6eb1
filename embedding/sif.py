"""Sentence features from word vectors with SIF weights (NumPy only).

SIF (smooth inverse frequency): Arora, Liang, Ma, *A Simple but Tough-to-Beat Baseline for Sentence
Embeddings*, ICLR 2017, algorithm 1. Training fits it, the model folder stores it, and training and queries
share one function, ``SifEncoder.features``, so the two cannot disagree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import ADVICE, first_line

WORD_LIST, WORD_VECTORS, SIF = "words.txt", "words.npy", "sif.npz"  # in a model folder
SIF_A = 1e-3  # the paper's `a`: words rarer than about one in a thousand count fully

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")
_PART = re.compile(r"['’]?\w+")


def tokenize(text: str) -> list[str]:
    """Return the lower-case words of ``text``.

    Punctuation is dropped; ``t-shirt`` and ``dog's`` stay whole.
    """
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def well_formed(text: str) -> str:
    """Replace each lone surrogate in the text with a replacement character.

    A byte of a command line that is not UTF-8, or half a pair in JSON, becomes a lone surrogate, which no
    tokeniser or file accepts.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(frozen=True)
class WordVectors:
    """Word vectors, the most frequent words first. ``rows[word]`` is the word's row in ``vectors``."""

    rows: dict[str, int]
    vectors: NDArray[np.floating]  # (V, C) float16 or float32, possibly memory-mapped

    @classmethod
    def from_words(cls, words: Sequence[str], vectors: NDArray[np.floating]) -> WordVectors:
        """Pair words with vectors in row order. Raises ``ValueError`` when the counts differ."""
        if len(words) != len(vectors):
            raise ValueError(f"{len(words)} words but {len(vectors)} vectors")
        return cls({word: row for row, word in enumerate(words)}, vectors)

    def lookup(self, token: str) -> list[int]:
        """Return the vector rows of a token.

        They are its own, else those of its parts (``dog's`` → dog, 's); the list may be empty.
        """
        row = self.rows.get(token)
        if row is not None:
            return [row]
        parts = _PART.findall(token)
        if len(parts) < 2:
            return []
        return [self.rows[part] for part in parts if part in self.rows]


@dataclass(frozen=True)
class SifEncoder:
    """Encoder from sentences to SIF features.

    A feature is the weighted mean of the word vectors, minus one fitted direction.
    """

    words: WordVectors
    weights: NDArray[np.float32]  # (V,) a / (a + p(w)); 1 for a word without a count
    component: NDArray[np.float32]  # (C,) unit: first singular vector of the training sentences

    @classmethod
    def fit(cls, words: WordVectors, sentences: Sequence[str]) -> SifEncoder:
        """Fit p(w) and the removed direction to ``sentences``. Give it training captions only."""
        counts = Counter(row for text in sentences for row in _known_rows(words, text))
        weights = np.ones(len(words.vectors), dtype=np.float32)
        total = sum(counts.values())
        for row, count in counts.items():
            weights[row] = SIF_A / (SIF_A + count / total)
        no_direction = np.zeros(words.vectors.shape[1], dtype=np.float32)
        means = cls(words, weights, no_direction).features(sentences)  # (N, C)
        # The paper takes the singular vector of the matrix as it is, not centred: it is close to the
        # mean sentence. The eigenvectors of the small (C, C) matrix give the same without a big SVD.
        _, directions = np.linalg.eigh(means.T.astype(np.float64) @ means)
        return cls(words, weights, directions[:, -1].astype(np.float32))

    def features(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return (N, C) float32 sentence features. A sentence without any known word is all zeros."""
        features = np.zeros((len(sentences), self.words.vectors.shape[1]), dtype=np.float32)
        for i, text in enumerate(sentences):
            rows = list(_known_rows(self.words, text))
            if rows:
                vectors = self.words.vectors[rows].astype(np.float32)  # (n, C)
                features[i] = self.weights[rows] @ vectors / len(rows)
        return features - np.outer(features @ self.component, self.component)

    def unknown_words(self, text: str) -> list[str]:
        """Return the words of ``text`` that have no vector, in order."""
        return [token for token in tokenize(text) if not self.words.lookup(token)]

    def knows(self, text: str) -> bool:
        """Return True if any word of ``text`` has a vector."""
        return next(_known_rows(self.words, text), None) is not None

    def save(self, folder: Path) -> list[str]:
        """Write ``words.txt``, ``words.npy`` (float16) and ``sif.npz``. Returns the names written."""
        (folder / WORD_LIST).write_text("\n".join(self.words.rows) + "\n", encoding="utf-8")
        np.save(folder / WORD_VECTORS, self.words.vectors.astype(np.float16), allow_pickle=False)
        np.savez(folder / SIF, weights=self.weights, component=self.component)
        return [WORD_LIST, WORD_VECTORS, SIF]

    @classmethod
    def load(cls, folder: Path) -> SifEncoder:
        """Load an encoder that ``save`` wrote.

        The vectors stay on disk and are read word by word. Raises ``ModelError`` for files that are damaged
        or do not belong together.
        """
        name = WORD_LIST
        try:
            words = (folder / name).read_text(encoding="utf-8").split("\n")[:-1]
            name = WORD_VECTORS
            vectors = np.load(folder / name, mmap_mode="r", allow_pickle=False)
            if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
                raise ValueError(f"{vectors.dtype} of {vectors.shape} rather than a vector for each word")
            if len(vectors) != len(words):
                raise ValueError(f"{len(vectors):,} vectors for {len(words):,} words in {WORD_LIST}")
            name = SIF
            with np.load(folder / name, allow_pickle=False) as sif:
                weights, component = sif["weights"], sif["component"]
            if (weights.shape, component.shape) != (vectors.shape[:1], vectors.shape[1:]):
                sizes = f"weights {weights.shape} and component {component.shape}"
                raise ValueError(f"{sizes} for {WORD_VECTORS} of {vectors.shape}")
            if {weights.dtype, component.dtype} != {np.dtype(np.float32)}:
                raise ValueError(f"{weights.dtype} and {component.dtype} rather than float32")
        except Exception as error:  # NumPy and zipfile raise many types for files in another format
            reason = "no such file" if isinstance(error, FileNotFoundError) else first_line(error)
            raise ModelError(f"{folder / name}: cannot be used ({reason}); {ADVICE}") from None
        return cls(WordVectors.from_words(words, vectors), weights, component)


def training_vocabulary(
    words: WordVectors, sentences: Iterable[str], n_frequent: int = 100_000
) -> WordVectors:
    """Return the word vectors a model needs.

    They are those of the words in ``sentences`` and of the ``n_frequent`` first words. Word-vector files list
    frequent words first; these let a query use words that no caption did.
    """
    used = {row for text in sentences for row in _known_rows(words, text)}
    rows = sorted(used | set(range(min(n_frequent, len(words.vectors)))))
    names = list(words.rows)
    # float16 is what the model folder stores: fitting on the rounded vectors keeps training and
    # inference equal to the last bit.
    return WordVectors.from_words([names[row] for row in rows], words.vectors[rows].astype(np.float16))


def _known_rows(words: WordVectors, text: str) -> Iterator[int]:
    for token in tokenize(text):
        yield from words.lookup(token)
