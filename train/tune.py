"""The second training loop: it tunes everything above the backbone's stem."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twobranch.common.progress import Progress
from twobranch.train.checkpoint import (
    Checkpoint,
    Epoch,
    Tensors,
    TrainingContext,
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

SMALLEST_CROP = 0.7  # share of the activations' side
_DEV_PHOTOS = 64  # encoded at a time


@dataclass(frozen=True)
class TuningSplit:
    """The data of one split; ``sentences[j]`` describes photo ``items[j]``."""

    activations: NDArray[np.float16]  # (R, V, h, w, C), memory-mapped; the first view is the photo itself
    rows: NDArray[np.int64]  # (N,) the row of each photo
    sentences: Sequence[Sequence[int]]  # (M,) token ids
    items: NDArray[np.int64]  # (M,)
    features: NDArray[np.float32] | None = None  # (N, V, F) of the photos, before tuning
    sources: tuple[str, ...] = ()  # (N,) the collection of each photo; empty if there is only one

    def photos(self, items: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        """Return the activations of one view of each photo.

        They are (n, C, h, w) float32.
        """
        blocks = [self.activations[row, view] for row, view in zip(self.rows[items], views, strict=True)]
        return torch.from_numpy(np.stack(blocks)).float().permute(0, 3, 1, 2)


def tune(
    network: JointNetwork,
    train: TuningSplit,
    dev: TuningSplit,
    preset: Preset,
    knowledge: Knowledge,
    context: TrainingContext,
    *,
    earlier: tuple[Epoch, ...],
) -> Checkpoint:
    """Tune ``network`` as ``preset.tuning`` defines, and return the last checkpoint.

    A batch is photos with some captions of each; the loss is InfoNCE as for the branches alone. The weights
    that are measured and kept are a moving average, because the weights themselves fluctuate on a small
    corpus. The average is mixed with the weights before tuning, which know more about things that the corpus
    does not show: Wortsman et al., *Robust fine-tuning of zero-shot models*, 2022. The checkpoint's ``best``
    is the mix with the best dev rsum. ``earlier`` are the epochs of the branches, which begin the history.
    The checkpoint file is written after every epoch; resuming works as in ``train.loop.fit``. Raises
    ``ValueError`` for a preset without tuning.
    """
    tuning = preset.tuning
    if tuning is None:
        raise ValueError(f"the preset {preset.name} has no tuning")
    torch.manual_seed(context.seed)
    network.sentences.requires_grad_(bool(tuning.text_rate))
    optimizer = _optimizer(network, tuning)
    before = network_tensors(network)
    average = network_tensors(network)
    history, best = earlier, before
    if context.resume:
        state = load_checkpoint(context.checkpoint)
        network.load_state_dict(state.network)
        restore_optimizer(optimizer, state.optimizer)
        history, best, average = state.history, state.best, state.average
        done = len(history) - len(earlier)
        context.progress.note(f"resuming after epoch {done} of {tuning.epochs} of tuning")

    run = _TuningRun(network, optimizer, average, train, preset, tuning, knowledge, len(earlier))
    for number in range(len(history) + 1, run.last_epoch + 1):
        started = time.perf_counter()
        loss = run.run_epoch(number, context.seed, context.progress)
        kept = _blend(before, average, tuning.blend)
        recalls = dev_recalls(*_dev_rows(network, kept, dev), dev.items, dev.sources)
        epoch = Epoch(number, loss, *recalls, time.perf_counter() - started, tuned=True)
        if epoch.rsum > max((past.rsum for past in history[len(earlier) :]), default=-1.0):
            best = kept
        history = (*history, epoch)
        moments = optimizer_tensors(optimizer)
        state = Checkpoint(context.settings, history, network_tensors(network), best, moments, average)
        save_checkpoint(state, context.checkpoint)
        context.progress.note(epoch_line(history, run.last_epoch))
    return load_checkpoint(context.checkpoint)


@dataclass(frozen=True)
class _Batch:
    """B photos of a batch, and R captions of them."""

    photos: NDArray[np.int64]  # (B,)
    views: NDArray[np.int64]  # (B,)
    activations: Tensor  # (B, C, h, w)
    rows: NDArray[np.int64]  # (R,) the captions
    pieces: list[list[int]]  # (R,) token ids of the captions, some left out
    photo_of: Tensor  # (R,) the photo of each caption, as a number within the batch


@dataclass(frozen=True)
class _TuningRun:
    """The network, its optimiser and the data that it is tuned on."""

    network: JointNetwork
    optimizer: torch.optim.Optimizer
    average: Tensors  # moving average of the weights; updated in place
    train: TuningSplit
    preset: Preset
    tuning: Tuning
    knowledge: Knowledge
    n_earlier: int  # epochs of the branches

    @property
    def last_epoch(self) -> int:
        return self.n_earlier + self.tuning.epochs

    @cached_property
    def captions_of(self) -> list[NDArray[np.int64]]:
        """The captions of each photo."""
        return _captions_by_photo(self.train.items, len(self.train.rows))

    def run_epoch(self, number: int, seed: int, progress: Progress) -> float:
        """Train for one epoch, and return the mean loss of its batches."""
        tuning, n = self.tuning, len(self.train.rows)
        size = min(tuning.photos, n)
        steps, finished = n // size, number - 1 - self.n_earlier
        torch.manual_seed(seed * 100_003 + number)  # dropout, dropped cells
        rng = np.random.default_rng((seed, number))
        self.network.train()
        order = rng.permutation(n)
        total = 0.0
        progress.start(f"epoch {number}/{self.last_epoch}", steps)
        for step in range(steps):
            done = (finished + step / steps) / tuning.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = group["peak"] * warm_cosine(done, tuning.warm_up)
            loss = self._loss(self._draw_batch(order[step * size : (step + 1) * size], rng), rng)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item()
            all_steps = finished * steps + step + 1
            # The first steps are averaged over fewer: else the untuned network would keep too much weight.
            share = 1 - min(tuning.average, (1 + all_steps) / (10 + all_steps))
            _move_towards(self.average, self.network, share)
            progress.advance()
        progress.finish()
        return total / steps

    def _draw_batch(self, photos: NDArray[np.int64], rng: np.random.Generator) -> _Batch:
        """Draw a view and some captions of each photo."""
        train, tuning = self.train, self.tuning
        views = rng.integers(train.activations.shape[1], size=len(photos))
        activations = train.photos(photos, views)
        if rng.random() < tuning.crops:
            activations = _crop(activations, rng)
        own = [self.captions_of[photo] for photo in photos]
        captions = [rng.choice(rows, min(tuning.captions, len(rows)), replace=False) for rows in own]
        rows = np.concatenate(captions)
        pieces = [_drop_pieces(train.sentences[row], tuning.drop_words, rng) for row in rows]
        photo_of = np.repeat(np.arange(len(photos)), [len(chosen) for chosen in captions])
        return _Batch(photos, views, activations, rows, pieces, torch.from_numpy(photo_of))

    def _loss(self, batch: _Batch, rng: np.random.Generator) -> Tensor:
        """Return the loss of a batch.

        Class-name pairs and rehearsal are added if the recipe says so.
        """
        network, knowledge, size = self.network, self.knowledge, len(batch.photos)
        pieces, photo_of = batch.pieces, batch.photo_of
        item = torch.from_numpy(batch.photos)[photo_of]
        image_features = network.photo_features(batch.activations, self.tuning.drop_cells)  # (B, C)
        predicted = _class_log_probabilities(knowledge, self.train, batch)
        rehearsal = self._rehearsal_loss(image_features, predicted)
        classes = np.empty(0, dtype=np.int64)
        if knowledge.classes is not None:
            drawn = knowledge.classes.draw(int(self.preset.class_share * size), rng)
            classes = drawn.classes
            image_features = torch.cat([image_features, torch.from_numpy(drawn.images)])
            pieces = [*pieces, *(list(knowledge.class_sentences[row]) for row in drawn.rows)]
            photo_of = torch.cat([photo_of, size + torch.arange(len(drawn.rows))])
            item = torch.cat([item, torch.from_numpy(drawn.items)])
        images = network.branches.embed_images(image_features)
        texts = network.branches.embed_texts(network.sentence_features(pieces))
        own = batch.photo_of
        wrong = knowledge.negatives(
            batch.photos[own], batch.rows, classes, None if predicted is None else predicted[own]
        )
        return rehearsal + info_nce_loss(images[photo_of], texts, item, self.preset.temperature, wrong)

    def _rehearsal_loss(self, features: Tensor, predicted: Tensor | None) -> Tensor:
        """Return the loss that keeps the backbone close to its classifier.

        It is 0 if the recipe has no rehearsal. ``features`` (B, C) are the tuned ones, ``predicted`` (B, K)
        the log-probabilities before tuning.
        """
        classifier = self.knowledge.classifier
        if not self.tuning.rehearsal or predicted is None or classifier is None:
            return features.new_zeros(())
        loss = classifier_loss(features, predicted, classifier.weight, classifier.bias)
        return self.tuning.rehearsal * loss


def _optimizer(network: JointNetwork, tuning: Tuning) -> torch.optim.Optimizer:
    """Return AdamW with a learning rate for each part.

    The schedule multiplies the rate ``peak`` of a group.
    """
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
    """Return the numbers of the captions of each of ``n`` photos."""
    order = np.argsort(items, kind="stable")
    return np.split(order, np.searchsorted(items[order], np.arange(1, n)))


def _crop(activations: Tensor, rng: np.random.Generator) -> Tensor:
    """Cut a random window out of (n, C, h, w) activations.

    It is the same for all photos. It replaces a crop of the photos and costs nothing.
    """
    height, width = activations.shape[2:]
    h, w = (int(rng.integers(int(SMALLEST_CROP * side), side + 1)) for side in (height, width))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return activations[:, :, top : top + h, left : left + w]


def _drop_pieces(sentence: Sequence[int], share: float, rng: np.random.Generator) -> list[int]:
    """Drop a random share of the token ids of a sentence.

    The begin and end marks are kept.
    """
    kept = rng.random(len(sentence)) >= share
    kept[[0, -1]] = True
    return [token for token, keep in zip(sentence, kept, strict=True) if keep]


@torch.no_grad()
def _move_towards(average: Tensors, network: JointNetwork, share: float) -> None:
    """Move ``average`` towards the weights of ``network`` by ``share``, in place."""
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, share)
        else:
            average[name].copy_(value)


def _blend(before: Tensors, after: Tensors, share: float) -> Tensors:
    """Interpolate weights: ``share`` of ``after``, the rest of ``before``."""
    return {
        name: torch.lerp(before[name], value, share) if value.is_floating_point() else value.clone()
        for name, value in after.items()
    }


def _class_log_probabilities(knowledge: Knowledge, train: TuningSplit, batch: _Batch) -> Tensor | None:
    """Return the (B, K) log-probabilities of the classifier before tuning."""
    if knowledge.classifier is None or train.features is None:
        return None
    return knowledge.classifier.log_probabilities(train.features[batch.photos, batch.views])


def _dev_rows(
    network: JointNetwork, weights: Tensors, dev: TuningSplit
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the vectors of the dev photos and texts.

    They are (N, D) and (M, D) unit rows. ``weights`` are loaded into the network for this, and then its own
    again.
    """
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
