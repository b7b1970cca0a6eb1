"""multilingual-e5-small with fewer word pieces and a branch.

The branch leads into the space of a finished model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twobranch.embedding.branches import Branch
from twobranch.embedding.model_folder import TEXT_TOWER_LANGUAGES, TOKENIZER_LANGUAGES
from twobranch.train.languages.e5weights import E5Weights, bert, latin_pieces, tokenizer
from twobranch.train.sides.joint import SENTENCES_AT_A_TIME, fast_arithmetic
from twobranch.train.sides.sentences import MAX_TOKENS, SentenceEncoder, SentenceTower, padded
from twobranch.train.sides.text import write_text_tower

PIECES = 50_000  # 19 MB of 8-bit rows; the 110,000 of all Latin writing are 42 MB
_HIDDEN = 2048
_DROPOUT = 0.1
_FROZEN_LAYERS = 6  # of 12: without their gradients a step takes two thirds of the time


def chosen_pieces(weights: E5Weights, texts: Sequence[str], n: int = PIECES) -> list[int]:
    """Return the rows of the word pieces to keep, in order.

    They are those that ``texts`` use, single characters, and the likeliest others.
    """
    latin = latin_pieces(weights)
    of_texts = tokenizer(weights.keep(latin)).encode_batch(list(texts))
    kept = {latin[row] for encoding in of_texts for row in encoding.ids}
    kept |= {weights.begin, weights.end, weights.pad, weights.unknown}
    kept |= {row for row in latin if len(weights.pieces[row].removeprefix("▁")) <= 1}
    by_score = sorted(latin, key=lambda row: -weights.scores[row])
    kept.update([row for row in by_score if row not in kept][: max(0, n - len(kept))])
    return sorted(kept)


class Student(nn.Module):
    """Token ids to (N, D) unit rows.

    It is the sentence encoder, of which the upper layers are trained, and a branch.
    """

    scale: Tensor

    def __init__(self, weights: E5Weights, dim: int) -> None:
        super().__init__()
        self.encoder = SentenceEncoder(bert(weights))
        self.branch = Branch(self.encoder.dim, _HIDDEN, dim, order="seed", dropout=_DROPOUT)
        self.register_buffer("scale", torch.tensor(self.encoder.dim**-0.5))
        for layer in self.encoder.bert.encoder.layer[_FROZEN_LAYERS:]:
            layer.requires_grad_(True)

    def forward(self, sentences: Sequence[Sequence[int]]) -> Tensor:
        """Encode N sentences as (N, D) unit rows.

        Sentences of similar length are encoded together.
        """
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        features = []
        for start in range(0, len(order), SENTENCES_AT_A_TIME):
            ids, mask = padded([sentences[i] for i in order[start : start + SENTENCES_AT_A_TIME]])
            with fast_arithmetic():
                words = self.encoder.words(ids, mask)
            features.append(self.encoder.pool(words.float(), mask))
        back = torch.empty(len(order), dtype=torch.long)
        back[order] = torch.arange(len(order))
        return self.branch(torch.cat(features)[back] / self.scale)

    def rows(self, sentences: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(N, D) float32 unit rows, as they are searched with."""
        self.eval()
        with torch.inference_mode():
            blocks = [self(sentences[start : start + 1024]) for start in range(0, len(sentences), 1024)]
        return torch.cat(blocks).numpy()

    def groups(self, encoder_rate: float, branch_rate: float) -> list[dict[str, Any]]:
        """Return the trained parameters for an optimiser.

        ``peak`` is the highest learning rate of each group.
        """
        trained = [p for p in self.encoder.parameters() if p.requires_grad]
        return [
            {"params": trained, "peak": encoder_rate},
            {"params": list(self.branch.parameters()), "peak": branch_rate},
        ]


def token_ids(words: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of each text, with both marks.

    ``words`` is a tokenizer of ``e5weights``.
    """
    words.enable_truncation(MAX_TOKENS)
    words.no_padding()
    return [encoding.ids for encoding in words.encode_batch(list(texts))]


def write_student(student: Student, words: Any, folder: Path) -> list[str]:
    """Write tower and tokenizer into a model folder.

    Returns the names of the files.
    """
    tower = SentenceTower(student.encoder, student.branch, student.scale)
    write_text_tower(tower, folder / TEXT_TOWER_LANGUAGES)
    words.save(str(folder / TOKENIZER_LANGUAGES), pretty=False)
    return [TEXT_TOWER_LANGUAGES, TOKENIZER_LANGUAGES]
