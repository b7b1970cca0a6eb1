"""The text side of a training run: sentences to features, and the text tower's files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from embedding.branches import TwoBranchNetwork
from embedding.modelfolder import TEXT_TOWER, TOKENIZER, TextKind
from embedding.progress import Progress
from embedding.text import SifEncoder, training_vocabulary
from train.export import store_float16, store_int8, write_onnx
from train.features import text_features
from train.sentences import (
    MAX_TOKENS,
    SENTENCE_ENCODER,
    SentenceEncoder,
    SentenceTower,
    sentence_encoder_folder,
)
from train.wordvectors import load_word_vectors


class TextTower(Protocol):
    """What becomes the text tower of a model folder."""

    kind: TextKind
    max_tokens: int

    def save(self, network: TwoBranchNetwork, folder: Path) -> list[str]:
        """Write the text tower and what its input needs; the names of the files."""


class TextSide(TextTower, Protocol):
    """What lies under the text branch while that is trained."""

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, C) float32 features."""


class WordsSide:
    """SIF over word vectors, fitted on the training captions."""

    kind: TextKind = "words"
    max_tokens = 0

    def __init__(self, train_texts: Sequence[str], word_vectors: Path | None) -> None:
        words = training_vocabulary(load_word_vectors(word_vectors), train_texts)
        self._sif = SifEncoder.fit(words, train_texts)

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._sif.features(texts)

    def save(self, network: TwoBranchNetwork, folder: Path) -> list[str]:
        dim = len(self._sif.component)
        write_onnx(
            _Features(network),
            [torch.zeros(2, dim)],
            folder / TEXT_TOWER,
            inputs=["features"],
            output="embeddings",
            dynamic=[["batch"]],
        )
        store_float16(folder / TEXT_TOWER)
        return [TEXT_TOWER, *self._sif.save(folder)]


class WordPieceSide:
    """The pretrained sentence encoder, frozen."""

    kind: TextKind = "wordpiece"
    max_tokens = MAX_TOKENS

    def __init__(self, cache: Path, progress: Progress) -> None:
        self._cache = cache
        self._progress = progress

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return text_features(
            texts,
            lambda: SentenceEncoder.pretrained().features,
            extractor=f"{SENTENCE_ENCODER}-{MAX_TOKENS}",
            cache=self._cache,
            progress=self._progress,
        )

    def save(self, network: TwoBranchNetwork, folder: Path) -> list[str]:
        return EncoderTower(SentenceEncoder.pretrained()).save(network, folder)


class EncoderTower:
    """A sentence encoder, as it was pretrained or tuned."""

    kind: TextKind = "wordpiece"
    max_tokens = MAX_TOKENS

    def __init__(self, encoder: SentenceEncoder) -> None:
        self._encoder = encoder

    def save(self, network: TwoBranchNetwork, folder: Path) -> list[str]:
        tower = SentenceTower(self._encoder, network.text_branch, network.text_scale)
        ids = torch.tensor([[101, 2417, 2482, 102], [101, 3899, 102, 0]])  # "red car", "dog"
        write_onnx(
            tower,
            [ids, (ids > 0).long()],
            folder / TEXT_TOWER,
            inputs=["input_ids", "attention_mask"],
            output="embeddings",
            dynamic=[["batch", "tokens"]] * 2,
        )
        store_int8(folder / TEXT_TOWER)
        shutil.copyfile(sentence_encoder_folder() / "tokenizer.json", folder / TOKENIZER)
        return [TEXT_TOWER, TOKENIZER]


class _Features(nn.Module):
    """The text tower over given features."""

    def __init__(self, network: TwoBranchNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        return self.network.embed_texts(features)
