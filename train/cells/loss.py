"""The loss of cells: texts belong to cells of their tiles.

Scores of a text with the cells of a tile are pooled by log-sum-exp, so a tile is as good as its best cells:
the sky above a dog need not look like "a dog". Three terms, each a cross-entropy at one temperature:

* a text's tile against all other cells of the batch;
* a text's tile against the other cells of its own mosaic, which decides where the hottest point is;
* a tile's text against the other texts.

This is the multiple-instance form of InfoNCE (Miech et al., *MIL-NCE*, CVPR 2020), with cells as instances.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_NOTHING = -1e4  # in place of -inf, whose gradient is not a number where nothing is left


@dataclass(frozen=True)
class Places:
    """The cells that Q texts belong to.

    The batch has B pictures with T cells each.
    """

    picture: Tensor  # (Q,) int64, the picture that shows the text
    own: Tensor  # (Q, B, T) bool, the cells of the text's tile
    compared: Tensor  # (Q, B, T) bool, these and all cells that certainly do not show the text


def place_loss(cells: Tensor, texts: Tensor, places: Places, temperature: float, own_weight: float) -> Tensor:
    """Return the loss of cells and texts, a scalar.

    ``cells`` are (B, T, D) and ``texts`` (Q, D) unit vectors. ``own_weight`` is the weight of the
    second term; the others have 1.
    """
    scores = torch.einsum("qd,btd->qbt", texts, cells) / temperature
    own = torch.where(places.own, scores, _NOTHING)
    compared = torch.where(places.compared, scores, _NOTHING)
    batch = compared.flatten(1).logsumexp(1) - own.flatten(1).logsumexp(1)
    rows = torch.arange(len(texts))
    here = (rows, places.picture)
    mosaic = compared[here].logsumexp(1) - own[here].logsumexp(1)
    tiles = _tile_scores(scores, places)
    answers = tiles.logsumexp(1) - tiles.diagonal()
    return batch.mean() + own_weight * mosaic.mean() + answers.mean()


def _tile_scores(scores: Tensor, places: Places) -> Tensor:
    """Return the pooled scores of tiles with texts.

    The result is (Q, Q), tiles in rows. Texts that the tile may show are left out.
    """
    rows = torch.arange(len(scores))
    tile = places.own[rows, places.picture]  # (Q, T) cells of the tile of each text
    pooled = torch.where(tile[None], scores[:, places.picture], _NOTHING).logsumexp(2)  # (text, tile)
    compared = (places.compared[:, places.picture] & tile[None]).any(2)
    return torch.where(compared, pooled, _NOTHING).T
