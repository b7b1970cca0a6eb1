"""The text side of a training run: sentence features and text tower."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twobranch.common.progress import Progress
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.embedding.conversion.storage import store_float16, store_int8
from twobranch.embedding.model_folder import TEXT_TOWER, TOKENIZER, TextKind
from twobranch.embedding.sif import SifEncoder, training_vocabulary
from twobranch.train.checkpoint import Tensors
from twobranch.train.features import text_features
from twobranch.train.output.export import write_onnx
from twobranch.train.sides.evidence import QueryEvidence
from twobranch.train.sides.sentences import (
    MAX_TOKENS,
    SENTENCE_ENCODER,
    SentenceEncoder,
    SentenceTower,
    sentence_encoder_folder,
)
from twobranch.train.sides.start import mixed
from twobranch.train.sides.word_vectors import load_word_vectors


class TextTower(Protocol):
    """The text tower of a model folder, before it is written."""

    kind: TextKind
    max_tokens: int

    def save(self, network: TwoBranchNetwork, folder: Path) -> list[str]:
        """Write the text tower and its tokenizer or vocabulary.

        Returns the names of the files.
        """


class TextSide(TextTower, Protocol):
    """The input of the text branch while it is trained."""

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the (N, C) float32 features of N texts."""

    def encoder(self) -> SentenceEncoder:
        """Return the sentence encoder to tune. Raises ``ValueError`` if there is none."""


class WordsSide:
    """SIF over word vectors, fitted on the training captions."""

    kind: TextKind = "words"
    max_tokens = 0

    def __init__(self, train_texts: Sequence[str], word_vectors: Path | None) -> None:
        words = training_vocabulary(load_word_vectors(word_vectors), train_texts)
        self._sif = SifEncoder.fit(words, train_texts)

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._sif.features(texts)

    def encoder(self) -> SentenceEncoder:
        raise ValueError("word vectors are not tuned")

    def save(self, network: TwoBranchNetwork, folder: Path) -> list[str]:
        dim = len(self._sif.component)
        write_onnx(
            _Features(network),
            [torch.zeros(2, dim)],
            folder / TEXT_TOWER,
            inputs=["features"],
            outputs=["embeddings"],
            dynamic=[["batch"]],
        )
        store_float16(folder / TEXT_TOWER)
        return [TEXT_TOWER, *self._sif.save(folder)]


class WordPieceSide:
    """The frozen sentence encoder.

    Its weights are the pretrained ones, or a mix with those that an earlier run tuned.
    """

    kind: TextKind = "wordpiece"
    max_tokens = MAX_TOKENS

    def __init__(
        self,
        cache: Path,
        progress: Progress,
        tuned: Tensors | None = None,
        *,
        share: float = 0.0,
        origin: str = "",
    ) -> None:
        """Mix a ``share`` of the weights ``tuned`` into the pretrained ones.

        ``origin`` names the tuned weights in the cache.
        """
        self._cache = cache
        self._progress = progress
        self._tuned = tuned
        self._share = share
        self._extractor = f"{SENTENCE_ENCODER}-{MAX_TOKENS}" + (f"-{origin}" if origin else "")

    def encoder(self) -> SentenceEncoder:
        """Return a new sentence encoder in evaluation mode."""
        encoder = SentenceEncoder.pretrained()
        if self._tuned is not None:
            encoder.load_state_dict(mixed(encoder.state_dict(), self._tuned, self._share))
        return encoder

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return text_features(
            texts,
            lambda: self.encoder().features,
            extractor=self._extractor,
            cache=self._cache,
            progress=self._progress,
        )

    def save(self, network: TwoBranchNetwork, folder: Path) -> list[str]:
        return EncoderTower(self.encoder()).save(network, folder)


class EncoderTower:
    """The text tower over a pretrained or tuned sentence encoder."""

    kind: TextKind = "wordpiece"
    max_tokens = MAX_TOKENS

    def __init__(self, encoder: SentenceEncoder, evidence: QueryEvidence | None = None) -> None:
        self._encoder = encoder
        self._evidence = evidence

    def save(self, network: TwoBranchNetwork, folder: Path) -> list[str]:
        tower = SentenceTower(self._encoder, network.text_branch, network.text_scale, self._evidence)
        write_text_tower(tower, folder / TEXT_TOWER)
        shutil.copyfile(sentence_encoder_folder() / "tokenizer.json", folder / TOKENIZER)
        return [TEXT_TOWER, TOKENIZER]


def write_text_tower(tower: SentenceTower, path: Path) -> None:
    """Write the tower as ONNX, with matrices in 8 bits.

    It maps (N, T) token ids and mask to (N, D) unit rows.
    """
    ids = torch.tensor([[101, 2417, 2482, 102], [101, 3899, 102, 0]])  # any two sentences, one of them padded
    write_onnx(
        tower,
        [ids, (ids > 0).long()],
        path,
        inputs=["input_ids", "attention_mask"],
        outputs=["embeddings"],
        dynamic=[["batch", "tokens"]] * 2,
    )
    store_int8(path)


class _Features(nn.Module):
    """The text tower over given features."""

    def __init__(self, network: TwoBranchNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        return self.network.embed_texts(features)
