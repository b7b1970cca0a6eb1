"""Training of a cell branch on the grids of a finished tower."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twobranch.train.cells.branch import CellBranch
from twobranch.train.cells.examples import Pictures, Texts, asked
from twobranch.train.cells.loss import Places, place_loss
from twobranch.train.checkpoint import (
    Checkpoint,
    TrainingContext,
    load_checkpoint,
    network_tensors,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from twobranch.train.loop import root_mean_square, warm_cosine

_SCALED_BY = 200  # pictures whose grids tell the root mean square of a feature


@dataclass(frozen=True)
class CellSettings:
    """The recipe for a cell branch."""

    hidden: int = 1024
    dropout: float = 0.2
    mosaics: float = 0.75  # as a share of the number of photos
    whole: float = 0.5  # share of the photos that are also shown alone
    epochs: int = 3  # over the mosaics
    batch_size: int = 48  # pictures
    whole_share: float = 0.25  # of a batch: photos alone
    rate: float = 0.001
    weight_decay: float = 0.01
    warm_up: float = 0.05
    temperature: float = 0.05
    own_weight: float = 2.0  # of the loss within a mosaic


@dataclass(frozen=True)
class CellData:
    """Pictures with their grids and texts."""

    pictures: Pictures
    grids: NDArray[np.float16]  # (P, C, h, w), memory-mapped
    tiles: NDArray[np.int16]  # (P, h * w) the tile of each cell, or -1
    texts: Texts


def train_cells(data: CellData, settings: CellSettings, context: TrainingContext) -> CellBranch:
    """Train a cell branch, and return it in evaluation mode.

    A checkpoint is written after every epoch.
    """
    torch.manual_seed(context.seed)
    some = np.linspace(0, len(data.grids) - 1, min(_SCALED_BY, len(data.grids)), dtype=int)
    scale = root_mean_square(np.asarray(data.grids[some], dtype=np.float32))
    features, dim = data.grids.shape[1], data.texts.vectors.shape[1]
    branch = CellBranch(features, settings.hidden, dim, dropout=settings.dropout, scale=scale)
    optimizer = torch.optim.AdamW(branch.parameters(), settings.rate, weight_decay=settings.weight_decay)
    first = 1
    if context.resume:
        state = load_checkpoint(context.checkpoint)
        branch.load_state_dict(state.network)
        restore_optimizer(optimizer, state.optimizer)
        first = state.settings["epoch"] + 1
        context.progress.note(f"resuming after epoch {first - 1} of {settings.epochs}")
    for number in range(first, settings.epochs + 1):
        loss = _run_epoch(number, branch, optimizer, data, settings, context)
        context.progress.note(f"epoch {number}/{settings.epochs}  loss {loss:.4f}")
        network = network_tensors(branch)
        record: dict[str, Any] = {**context.settings, "cells": asdict(settings), "epoch": number}
        save_checkpoint(Checkpoint(record, (), network, {}, optimizer_tensors(optimizer)), context.checkpoint)
    return branch.eval()


def cells_of(branch: CellBranch, grids: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (N, h, w, D) cells of (N, C, h, w) grids."""
    with torch.inference_mode():
        return np.asarray(branch(torch.from_numpy(np.asarray(grids, dtype=np.float32))).numpy())


def _run_epoch(
    number: int,
    branch: CellBranch,
    optimizer: torch.optim.Optimizer,
    data: CellData,
    settings: CellSettings,
    context: TrainingContext,
) -> float:
    """Train for one epoch, and return the mean loss of its batches."""
    n_mosaics = len(data.pictures.mosaics) - data.pictures.n_whole
    steps = max(1, round(n_mosaics / (settings.batch_size * (1 - settings.whole_share))))
    torch.manual_seed(context.seed * 100_003 + number)  # dropout
    branch.train()
    total = 0.0
    context.progress.start(f"epoch {number}/{settings.epochs}", steps)
    with ThreadPoolExecutor(1) as reading:  # the next batch is read from disk in the meantime
        following = reading.submit(_batch, data, settings, (context.seed, number, 0))
        for step in range(steps):
            grids, texts, places = following.result()
            following = reading.submit(_batch, data, settings, (context.seed, number, step + 1))
            done = (number - 1 + step / steps) / settings.epochs
            for group in optimizer.param_groups:
                group["lr"] = settings.rate * warm_cosine(done, settings.warm_up)
            cells = branch(grids)
            loss = place_loss(cells.flatten(1, 2), texts, places, settings.temperature, settings.own_weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            context.progress.advance()
    context.progress.finish()
    return total / steps


def _batch(data: CellData, settings: CellSettings, seed: Sequence[int]) -> tuple[Tensor, Tensor, Places]:
    """Draw pictures: (B, C, h, w) grids, texts and places."""
    rng = np.random.default_rng(seed)
    rows = data.pictures.batch(settings.batch_size, settings.whole_share, rng)
    mosaics = [data.pictures.mosaics[row] for row in rows]
    texts, places = asked(mosaics, data.tiles[rows], data.texts, rng)
    grids = np.stack([data.grids[row] for row in rows]).astype(np.float32)
    return torch.from_numpy(grids), texts, places
