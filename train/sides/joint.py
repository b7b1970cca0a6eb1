"""The network that is tuned: late stages, sentence encoder and branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.train.sides.evidence import PhotoEvidence
from twobranch.train.sides.late_stages import LateStages, Stem
from twobranch.train.sides.sentences import SentenceEncoder, padded

SENTENCES_AT_A_TIME = 128


class JointNetwork(nn.Module):
    """Both towers without the backbone's frozen stem."""

    def __init__(self, late: LateStages, sentences: SentenceEncoder, branches: TwoBranchNetwork) -> None:
        super().__init__()
        self.late = late
        self.sentences = sentences
        self.branches = branches

    def photo_features(self, activations: Tensor, drop_cells: float = 0.0) -> Tensor:
        """Return the photo features for activations of the stem.

        (N, C, h, w) activations give (N, C') features. A feature is the mean over the cells; a random share
        ``drop_cells`` of them is left out.
        """
        with fast_arithmetic():
            cells = self.late.in_chunks(activations)  # (N, T, C')
        cells = cells.float()
        if not drop_cells:
            return cells.mean(dim=1)
        kept = (torch.rand(cells.shape[:2]) >= drop_cells).float()  # (N, T)
        return torch.einsum("nt,ntc->nc", kept, cells) / kept.sum(dim=1, keepdim=True).clamp(min=1)

    def sentence_features(self, sentences: Sequence[Sequence[int]]) -> Tensor:
        """Return the (N, C) features of the token ids of N sentences.

        Sentences of similar length are encoded together.
        """
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        rows = []
        for start in range(0, len(order), SENTENCES_AT_A_TIME):
            batch = order[start : start + SENTENCES_AT_A_TIME]
            ids, mask = padded([sentences[i] for i in batch])
            with fast_arithmetic():
                words = self.sentences.words(ids, mask)
            rows.append(self.sentences.pool(words.float(), mask))
        back = torch.empty(len(order), dtype=torch.long)
        back[order] = torch.arange(len(order))
        return torch.cat(rows)[back]


class TunedImageTower(nn.Module):
    """Stem, late stages and image branch as one network.

    It maps (N, S, S, 3) uint8 pixels to (N, D) unit rows.
    """

    def __init__(self, stem: Stem, network: JointNetwork, evidence: PhotoEvidence | None = None) -> None:
        super().__init__()
        self.stem = stem
        self.late = network.late
        self.branches = network.branches
        self.evidence = evidence

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.late(self.stem(pixels)).mean(dim=1)  # (N, C)
        rows = self.branches.embed_images(features)
        return rows if self.evidence is None else self.evidence(rows, features)


def fast_arithmetic() -> Any:
    """Return a context for bfloat16 arithmetic if the processor supports it.

    Matrix products are then several times as fast. Without support the arithmetic stays float32.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16())


def has_bfloat16() -> bool:
    """Return True if the processor multiplies bfloat16 matrices in hardware.

    The instruction sets are AVX-512 BF16 and AMX.
    """
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
