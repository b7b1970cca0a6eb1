"""The second training loop: everything above the backbone's stem, one function read from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twobranch.common.progress import Progress
from twobranch.train.checkpoint import (
    Checkpoint,
    Epoch,
    load_checkpoint,
    network_tensors,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from twobranch.train.knowledge import Knowledge
from twobranch.train.loop import dev_recalls, epoch_line, warm_cosine
from twobranch.train.losses import classifier_loss, info_nce_loss
from twobranch.train.presets import Preset, Tuning
from twobranch.train.sides.joint import JointNetwork

SMALLEST_CROP = 0.7  # of the activations' side
_DEV_PHOTOS = 64  # encoded at a time


@dataclass(frozen=True)
class TuningSplit:
    """One split as tuning reads it: ``sentences[j]`` describes photo ``items[j]``."""

    activations: NDArray[np.float16]  # (R, V, h, w, C), memory-mapped; the first view is the photo itself
    rows: NDArray[np.int64]  # (N,) the row of each photo
    sentences: Sequence[Sequence[int]]  # (M,) token ids
    items: NDArray[np.int64]  # (M,)
    features: NDArray[np.float32] | None = None  # (N, V, F) of the photos, before tuning
    sources: tuple[str, ...] = ()  # (N,) the collection of each photo; empty where there is only one

    def photos(self, items: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        """(n, C, h, w) float32 activations of one view of each of these photos."""
        blocks = [self.activations[row, view] for row, view in zip(self.rows[items], views, strict=True)]
        return torch.from_numpy(np.stack(blocks)).float().permute(0, 3, 1, 2)


def tune(
    network: JointNetwork,
    train: TuningSplit,
    dev: TuningSplit,
    preset: Preset,
    tuning: Tuning,
    *,
    knowledge: Knowledge,
    earlier: tuple[Epoch, ...],
    seed: int,
    checkpoint: Path,
    settings: dict[str, Any],
    resume: bool,
    progress: Progress,
) -> Checkpoint:
    """Tune ``network``; the checkpoint whose ``best`` is the moving average of the best dev rsum.

    A batch is photos with some captions of each; InfoNCE as for the branches alone. What is measured, and
    kept, is a moving average of the weights (on a corpus this small the weights themselves jump about), mixed
    with the weights before tuning, which know more of what the corpus does not show: Wortsman et al., *Robust
    fine-tuning of zero-shot models*, 2022. ``earlier`` are the epochs of the branches, with which the history
    begins. Writes ``checkpoint`` after every epoch; ``resume`` goes on from it as ``train.loop.fit`` does.
    """
    torch.manual_seed(seed)
    network.sentences.requires_grad_(bool(tuning.text_rate))
    classes = knowledge.classes
    optimizer = _optimizer(network, tuning)
    before = network_tensors(network)
    average = network_tensors(network)
    history, best = earlier, before
    if resume:
        state = load_checkpoint(checkpoint)
        network.load_state_dict(state.network)
        restore_optimizer(optimizer, state.optimizer)
        history, best, average = state.history, state.best, state.average
        progress.note(f"going on after epoch {len(history) - len(earlier)} of {tuning.epochs} of tuning")

    n = len(train.rows)
    captions_of = _captions_by_photo(train.items, n)
    size = min(tuning.photos, n)
    steps_per_epoch = n // size
    planned = len(earlier) + tuning.epochs
    for number in range(len(history) + 1, planned + 1):
        started = time.perf_counter()
        torch.manual_seed(seed * 100_003 + number)  # dropout, dropped cells
        rng = np.random.default_rng((seed, number))
        network.train()
        order = rng.permutation(n)
        total = 0.0
        progress.start(f"epoch {number}/{planned}", steps_per_epoch)
        for step in range(steps_per_epoch):
            done = (number - 1 - len(earlier) + step / steps_per_epoch) / tuning.epochs
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * warm_cosine(done, tuning.warm_up)
            photos = order[step * size : (step + 1) * size]
            views = rng.integers(train.activations.shape[1], size=size)
            activations = train.photos(photos, views)
            if rng.random() < tuning.crops:
                activations = _crop(activations, rng)
            captions = [
                rng.choice(captions_of[photo], min(tuning.captions, len(captions_of[photo])), replace=False)
                for photo in photos
            ]
            rows = np.concatenate(captions)
            pieces = [_drop_pieces(train.sentences[row], tuning.drop_words, rng) for row in rows]
            photo_of = torch.from_numpy(np.repeat(np.arange(size), [len(rows) for rows in captions]))
            item = torch.from_numpy(photos)[photo_of]
            image_features = network.photo_features(activations, tuning.drop_cells)  # (size, C)
            said = _said(knowledge, train, photos, views)
            kept_knowledge = image_features.new_zeros(())
            if tuning.rehearsal and said is not None and knowledge.classifier is not None:
                weight, bias = knowledge.classifier.weight, knowledge.classifier.bias
                kept_knowledge = tuning.rehearsal * classifier_loss(image_features, said, weight, bias)
            drawn_classes = np.empty(0, dtype=np.int64)
            if classes is not None:
                drawn = classes.draw(int(preset.class_share * size), rng)
                drawn_classes = drawn.classes
                image_features = torch.cat([image_features, torch.from_numpy(drawn.images)])
                pieces += [list(knowledge.class_sentences[row]) for row in drawn.rows]
                photo_of = torch.cat([photo_of, size + torch.arange(len(drawn.rows))])
                item = torch.cat([item, torch.from_numpy(drawn.items)])
            image_rows = network.branches.embed_images(image_features)
            text_rows = network.branches.embed_texts(network.sentence_features(pieces))
            own = photo_of[: len(rows)]
            wrong = knowledge.negatives(photos[own], rows, drawn_classes, None if said is None else said[own])
            loss = kept_knowledge + info_nce_loss(
                image_rows[photo_of], text_rows, item, preset.temperature, wrong
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            steps = (number - 1 - len(earlier)) * steps_per_epoch + step + 1
            # The first steps are averaged over fewer: else the untuned network would linger.
            _move_towards(average, network, 1 - min(tuning.average, (1 + steps) / (10 + steps)))
            progress.advance()
        progress.finish()
        kept = _blend(before, average, tuning.blend)
        recalls = dev_recalls(*_dev_rows(network, kept, dev), dev.items, dev.sources)
        epoch = Epoch(number, total / steps_per_epoch, *recalls, time.perf_counter() - started, tuned=True)
        if epoch.rsum > max((past.rsum for past in history[len(earlier) :]), default=-1.0):
            best = kept
        history = (*history, epoch)
        state = Checkpoint(
            settings, history, network_tensors(network), best, optimizer_tensors(optimizer), average
        )
        save_checkpoint(state, checkpoint)
        progress.note(epoch_line(history, planned))
    return load_checkpoint(checkpoint)


def _optimizer(network: JointNetwork, tuning: Tuning) -> torch.optim.Optimizer:
    """AdamW with a learning rate for each part; ``peak`` is what the schedule multiplies."""
    parts = (
        (network.branches, tuning.branch_rate),
        (network.late, tuning.backbone_rate),
        (network.sentences, tuning.text_rate),
    )
    groups = [
        {"params": [p for p in part.parameters() if p.requires_grad], "peak": rate}
        for part, rate in parts
        if rate
    ]
    return torch.optim.AdamW(groups, weight_decay=tuning.weight_decay)


def _captions_by_photo(items: NDArray[np.int64], n: int) -> list[NDArray[np.int64]]:
    """For each of ``n`` photos the numbers of its captions."""
    order = np.argsort(items, kind="stable")
    return np.split(order, np.searchsorted(items[order], np.arange(1, n)))


def _crop(activations: Tensor, rng: np.random.Generator) -> Tensor:
    """A window of (n, C, h, w) activations, the same for all: a crop of the photos, at no cost."""
    height, width = activations.shape[2:]
    h, w = (int(rng.integers(int(SMALLEST_CROP * side), side + 1)) for side in (height, width))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return activations[:, :, top : top + h, left : left + w]


def _drop_pieces(sentence: Sequence[int], share: float, rng: np.random.Generator) -> list[int]:
    """The token ids without a random share of those between the begin and end marks."""
    kept = rng.random(len(sentence)) >= share
    kept[[0, -1]] = True
    return [token for token, keep in zip(sentence, kept, strict=True) if keep]


@torch.no_grad()
def _move_towards(average: dict[str, Tensor], network: JointNetwork, share: float) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, share)
        else:
            average[name].copy_(value)


def _blend(before: dict[str, Tensor], after: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """``share`` of the weights after, the rest from before."""
    return {
        name: torch.lerp(before[name], value, share) if value.is_floating_point() else value.clone()
        for name, value in after.items()
    }


def _said(
    knowledge: Knowledge, train: TuningSplit, photos: NDArray[np.int64], views: NDArray[np.int64]
) -> Tensor | None:
    """(n, K) log-probabilities that the classifier gave these views before tuning."""
    if knowledge.classifier is None or train.features is None:
        return None
    return knowledge.classifier.log_probabilities(train.features[photos, views])


def _dev_rows(
    network: JointNetwork, weights: dict[str, Tensor], dev: TuningSplit
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N, D) photos and (M, D) texts with ``weights`` in the network, which then gets its own back."""
    own = network_tensors(network)
    network.load_state_dict(weights)
    network.eval()
    with torch.inference_mode():
        rows = []
        for start in range(0, len(dev.rows), _DEV_PHOTOS):
            photos = np.arange(start, min(len(dev.rows), start + _DEV_PHOTOS))
            rows.append(network.photo_features(dev.photos(photos, np.zeros_like(photos))))
        images = network.branches.embed_images(torch.cat(rows)).numpy()
        texts = network.branches.embed_texts(network.sentence_features(dev.sentences)).numpy()
    network.load_state_dict(own)
    return images, texts
