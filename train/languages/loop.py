"""The training loop of the tower for other languages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twobranch.common.progress import Progress
from twobranch.embedding.language import without_accents
from twobranch.train.checkpoint import (
    Checkpoint,
    Epoch,
    TrainingContext,
    load_checkpoint,
    network_tensors,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from twobranch.train.languages.data import NONE, DevTexts
from twobranch.train.languages.student import Student
from twobranch.train.loop import KS, dev_recalls, epoch_line, warm_cosine
from twobranch.train.losses import info_nce_loss
from twobranch.train.metrics import text_to_image

_WARM_UP = 0.05
_PLAIN = 0.3  # share of texts that are read as people type them: in lower case, half of those without accents


@dataclass(frozen=True)
class LanguagePreset:
    """The numbers of a training."""

    epochs: int = 1
    batch_size: int = 256
    encoder_rate: float = 1.5e-4
    branch_rate: float = 1e-3
    weight_decay: float = 0.01
    temperature: float = 0.025
    teacher_weight: float = 1.0  # of the loss towards English vectors, against that towards photos


@dataclass(frozen=True)
class StudentSplit:
    """Training texts as the student reads them, and their targets."""

    sentences: Sequence[Sequence[int]]  # (M,) token ids
    plain: Sequence[Sequence[int]]  # (M,) the same texts as ``typed`` gives them
    english_rows: NDArray[np.int64]  # (M,)
    photo_rows: NDArray[np.int64]  # (M,)
    english: NDArray[np.float32]  # (E, D) unit rows
    photos: NDArray[np.float32]  # (P, D) unit rows


@dataclass(frozen=True)
class StudentDev:
    """Dev texts as the student reads them, and the photos searched."""

    texts: DevTexts
    sentences: Sequence[Sequence[int]]
    photos: NDArray[np.float32]  # (N, D) unit rows


def typed(text: str, rng: np.random.Generator) -> str:
    """Return a text as typed in a hurry.

    It is in lower case and, every other time, without accents.
    """
    text = text.lower()
    return text if rng.random() < 0.5 else without_accents(text)


def train_student(
    student: Student,
    train: StudentSplit,
    dev: Sequence[StudentDev],
    preset: LanguagePreset,
    context: TrainingContext,
) -> Checkpoint:
    """Train ``student`` and return its checkpoint.

    Its ``best`` network has the best mean dev recall.

    A text goes towards the vector of the English text that means the same (Reimers and Gurevych, *Making
    monolingual sentence embeddings multilingual using knowledge distillation*, 2020), by its cosine and
    against the other English texts of the batch, and towards its photo against the other photos. Writes
    the checkpoint of ``context`` after every epoch.
    """
    torch.manual_seed(context.seed)
    optimizer = torch.optim.AdamW(
        student.groups(preset.encoder_rate, preset.branch_rate), weight_decay=preset.weight_decay
    )
    history: tuple[Epoch, ...] = ()
    best = network_tensors(student)
    if context.resume:
        state = load_checkpoint(context.checkpoint)
        student.load_state_dict(state.network)
        restore_optimizer(optimizer, state.optimizer)
        history, best = state.history, state.best
        context.progress.note(f"going on after epoch {len(history)} of {preset.epochs}")
    steps = len(train.sentences) // preset.batch_size
    for number in range(len(history) + 1, preset.epochs + 1):
        started = time.perf_counter()
        torch.manual_seed(context.seed * 100_003 + number)  # dropout
        rng = np.random.default_rng((context.seed, number))
        order = rng.permutation(len(train.sentences))
        total = 0.0
        student.train()
        context.progress.start(f"epoch {number}/{preset.epochs}", steps)
        for step in range(steps):
            done = (number - 1 + step / steps) / preset.epochs
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * warm_cosine(done, _WARM_UP)
            rows = order[step * preset.batch_size : (step + 1) * preset.batch_size]
            loss = _loss(student(_drawn(train, rows, rng)), rows, train, preset)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            context.progress.advance()
        context.progress.finish()
        recalls = _dev_recalls(student, dev, context.progress)
        epoch = Epoch(number, total / max(1, steps), *recalls, time.perf_counter() - started)
        if epoch.rsum > max((earlier.rsum for earlier in history), default=-1.0):
            best = network_tensors(student)
        history = (*history, epoch)
        state = Checkpoint(
            context.settings, history, network_tensors(student), best, optimizer_tensors(optimizer)
        )
        save_checkpoint(state, context.checkpoint)
        context.progress.note(epoch_line(history, preset.epochs))
    return load_checkpoint(context.checkpoint)


def _drawn(train: StudentSplit, rows: NDArray[np.int64], rng: np.random.Generator) -> list[Sequence[int]]:
    """Return the token ids of texts, some as typed."""
    plain = rng.random(len(rows)) < _PLAIN
    return [
        (train.plain if typed_ else train.sentences)[row] for row, typed_ in zip(rows, plain, strict=True)
    ]


def _loss(embedded: Tensor, rows: NDArray[np.int64], train: StudentSplit, preset: LanguagePreset) -> Tensor:
    """Return the loss of a batch.

    ``embedded`` are (B, D) unit rows of the texts ``rows``.
    """
    loss = embedded.new_zeros(())
    targets = (
        (train.photo_rows[rows], train.photos, 1.0, False),
        (train.english_rows[rows], train.english, preset.teacher_weight, True),
    )
    for items, vectors, weight, by_cosine in targets:
        has = np.flatnonzero(items != NONE)
        if len(has) < 2:
            continue
        own, target = embedded[has], torch.from_numpy(vectors[items[has]])
        among = info_nce_loss(target, own, torch.from_numpy(items[has]), preset.temperature)
        loss = loss + weight * len(has) / len(rows) * among
        if by_cosine:
            loss = loss + 2 * weight * (1 - (own * target).sum(dim=1)).sum() / len(rows)
    return loss


def _dev_recalls(
    student: Student, dev: Sequence[StudentDev], progress: Progress
) -> tuple[dict[int, float], dict[int, float]]:
    """Return mean recalls over the dev sets, both ways.

    Those of each set are noted.
    """
    found = []
    for one in dev:
        rows = student.rows(one.sentences)
        figure = text_to_image(one.photos, rows, one.texts.items)
        described, items = np.unique(one.texts.items, return_inverse=True)  # some photos have no text
        recalls = {k: figure[f"R@{k}"] for k in KS}, dev_recalls(one.photos[described], rows, items)[1]
        found.append(recalls)
        named = "/".join(f"{value:.1f}" for value in recalls[0].values())
        progress.note(f"  {one.texts.source} {one.texts.language}: text to image {named}")
    means = [{k: float(np.mean([ways[way][k] for ways in found])) for k in KS} for way in (0, 1)]
    return means[0], means[1]
