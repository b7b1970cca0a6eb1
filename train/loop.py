"""The first training loop: it trains the two branches on cached features."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twobranch.common.progress import Progress
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.retrieval.evaluation.metrics import ranks_both_ways, recall_at
from twobranch.train.checkpoint import (
    Checkpoint,
    Epoch,
    TrainingContext,
    best_epoch,
    load_checkpoint,
    network_tensors,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from twobranch.train.knowledge import Knowledge
from twobranch.train.losses import bidirectional_ranking_loss, info_nce_loss, two_branch_loss
from twobranch.train.presets import Preset

KS = (1, 5, 10)
WARM_UP = 0.05  # share of all steps in which the cosine schedule rises
_FITTED_PAIRS = 2048
_TEMPERATURES = np.geomspace(0.005, 0.2, 24)


@dataclass(frozen=True)
class FeatureSplit:
    """The features of one split; ``texts[j]`` describes ``images[items[j]]``."""

    images: NDArray[np.float32]  # (N, V, C_image): V views of each photo, the first is the photo as indexed
    texts: NDArray[np.float32]  # (M, C_text)
    items: NDArray[np.int64]  # (M,)
    sources: tuple[str, ...] = ()  # (N,) the collection of each photo; empty if there is only one


def fit(
    train: FeatureSplit, dev: FeatureSplit, preset: Preset, knowledge: Knowledge, context: TrainingContext
) -> Checkpoint:
    """Train the two branches, and return the last checkpoint.

    Its ``best`` is the network with the best dev rsum. The checkpoint file is written after every epoch. A
    resumed run gives the same network as an uninterrupted one: every epoch draws from its own generator,
    seeded with (seed, epoch), so no random state needs saving. Class-name pairs are added to the batches in
    the share that the preset defines.
    """
    torch.manual_seed(context.seed)
    if preset.loss == "info-nce" and not preset.temperature:
        preset = replace(preset, temperature=fitted_temperature(train))
    network = new_network(train, preset)
    training = _BranchTraining(network, _optimizer(network, preset), train, preset, knowledge)
    history: tuple[Epoch, ...] = ()
    best = network_tensors(network)
    if context.resume:
        state = load_checkpoint(context.checkpoint)
        network.load_state_dict(state.network)
        restore_optimizer(training.optimizer, state.optimizer)
        history, best = state.history, state.best
        context.progress.note(f"resuming after epoch {len(history)} of {preset.epochs}")

    for number in range(len(history) + 1, preset.epochs + 1):
        started = time.perf_counter()
        loss = training.run_epoch(number, context.seed, context.progress)
        recalls = dev_recalls(*dev_rows(network, dev), dev.items, dev.sources)
        epoch = Epoch(number, loss, *recalls, time.perf_counter() - started)
        if epoch.rsum > max((earlier.rsum for earlier in history), default=-1.0):
            best = network_tensors(network)
        history = (*history, epoch)
        moments = optimizer_tensors(training.optimizer)
        state = Checkpoint(context.settings, history, network_tensors(network), best, moments)
        save_checkpoint(state, context.checkpoint)
        context.progress.note(epoch_line(history, preset.epochs))
    return load_checkpoint(context.checkpoint)


@dataclass(frozen=True)
class _BranchTraining:
    """The branches, their optimiser and the data that they are trained on."""

    network: TwoBranchNetwork
    optimizer: torch.optim.Optimizer
    train: FeatureSplit
    preset: Preset
    knowledge: Knowledge

    def run_epoch(self, number: int, seed: int, progress: Progress) -> float:
        """Train for one epoch, and return the mean loss of its batches."""
        preset, n_texts = self.preset, len(self.train.items)
        torch.manual_seed(seed * 100_003 + number)  # dropout
        rng = np.random.default_rng((seed, number))
        siblings = _another_text(self.train.items, rng)
        steps = max(1, n_texts // preset.batch_size)
        self.network.train()
        total = 0.0
        progress.start(f"epoch {number}/{preset.epochs}", steps)
        for step, batch in enumerate(_batches(n_texts, preset.batch_size, rng)):
            done = (number - 1 + step / steps) / preset.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = preset.learning_rate * _schedule(preset, done)
            loss = self._batch_loss(batch, siblings, rng)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item()
            progress.advance()
        progress.finish()
        return total / steps

    def _batch_loss(self, batch: Tensor, siblings: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the loss of the texts ``batch`` (B,) and their images.

        ``siblings`` (M,) holds another text of the same image for each text.
        """
        train, knowledge = self.train, self.knowledge
        texts = torch.from_numpy(train.texts)
        items = torch.from_numpy(train.items)[batch]
        views = _views(len(batch), train.images.shape[1], rng)
        image_features, text_features = torch.from_numpy(train.images)[items, views], texts[batch]
        classifier = knowledge.classifier
        predicted = None if classifier is None else classifier.log_probabilities(image_features.numpy())
        classes = np.empty(0, dtype=np.int64)
        if knowledge.classes is not None:
            drawn = knowledge.classes.draw(int(self.preset.class_share * len(batch)), rng)
            classes = drawn.classes
            image_features = torch.cat([image_features, torch.from_numpy(drawn.images)])
            text_features = torch.cat([text_features, torch.from_numpy(knowledge.classes.texts[drawn.rows])])
            items = torch.cat([items, torch.from_numpy(drawn.items)])
        images = self.network.embed_images(image_features)  # (B, D)
        sentences = self.network.embed_texts(text_features)  # (B, D)
        if self.preset.loss == "ranking":
            return bidirectional_ranking_loss(images, sentences, items, self.preset.margin)
        if self.preset.loss == "info-nce":
            wrong = knowledge.negatives(train.items[batch], batch.numpy(), classes, predicted)
            return info_nce_loss(images, sentences, items, self.preset.temperature, wrong)
        more = self.network.embed_texts(texts[siblings[batch]])
        return two_branch_loss(images, sentences, more, items, margin=self.preset.margin)


def fitted_temperature(train: FeatureSplit) -> float:
    """Return the temperature at which vectors explain their pairs best.

    It has the least InfoNCE loss over up to 2,048 pairs, of 24 from 0.005 to 0.2. Models differ in how far
    apart their cosines are: CLIP trained it down to 0.01, a margin of 0.2 spreads them much further. Raises
    ``ValueError`` if photos and texts are not in one space.
    """
    if train.images.shape[2] != train.texts.shape[1]:
        raise ValueError(f"photos of {train.images.shape[2]} and texts of {train.texts.shape[1]} dimensions")
    rows = np.random.default_rng(0).permutation(len(train.items))[:_FITTED_PAIRS]
    items = torch.from_numpy(train.items[rows])
    images = torch.from_numpy(train.images[train.items[rows], 0])
    texts = torch.from_numpy(train.texts[rows])
    losses = [info_nce_loss(images, texts, items, one).item() for one in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def new_network(train: FeatureSplit, preset: Preset) -> TwoBranchNetwork:
    """Return the untrained network of a preset for these features."""
    return TwoBranchNetwork(
        train.images.shape[2],
        train.texts.shape[1],
        hidden=preset.hidden,
        dim=preset.dim,
        order=preset.order,
        dropout=preset.dropout,
        image_scale=root_mean_square(train.images),
        text_scale=root_mean_square(train.texts),
    )


def dev_rows(network: TwoBranchNetwork, dev: FeatureSplit) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the vectors of the dev photos and texts.

    They are (N, D) and (M, D) unit rows.
    """
    network.eval()
    with torch.inference_mode():
        images = network.embed_images(torch.from_numpy(dev.images[:, 0])).numpy()
        return images, network.embed_texts(torch.from_numpy(dev.texts)).numpy()


def dev_recalls(
    images: NDArray[np.float32],
    texts: NDArray[np.float32],
    items: NDArray[np.int64],
    sources: Sequence[str] = (),
) -> tuple[dict[int, float], dict[int, float]]:
    """Return recall by k in both directions.

    It is in percent, first text to image, then image to text. ``images`` is (N, D) and ``texts`` (M, D). Each
    source is a gallery of its own, and the result is the mean over the sources. So a gain on one source does
    not hide a loss on another.
    """
    names = np.array(sources if sources else ("",) * len(images))
    both: list[tuple[dict[int, float], dict[int, float]]] = []
    for name in sorted(set(names)):
        photos = np.flatnonzero(names == name)
        rows = np.flatnonzero(names[items] == name)
        own = np.searchsorted(photos, items[rows])
        text_ranks, image_ranks = ranks_both_ways(texts[rows], images[photos], own, np.arange(len(photos)))
        both.append(tuple({k: recall_at(ranks, k) for k in KS} for ranks in (text_ranks, image_ranks)))  # type: ignore[arg-type]
    text_to_image, image_to_text = (
        {k: float(np.mean([ways[way][k] for ways in both])) for k in KS} for way in (0, 1)
    )
    return text_to_image, image_to_text


def root_mean_square(features: NDArray[np.float32]) -> float:
    """Return the root mean square of features; 1 if all are zero."""
    return float(np.sqrt(np.mean(np.square(features, dtype=np.float64)))) or 1.0


def _optimizer(network: TwoBranchNetwork, preset: Preset) -> torch.optim.Optimizer:
    if preset.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            lr=preset.learning_rate,
            momentum=preset.momentum,
            weight_decay=preset.weight_decay,
        )
    return torch.optim.AdamW(network.parameters(), lr=preset.learning_rate, weight_decay=preset.weight_decay)


def _schedule(preset: Preset, done: float) -> float:
    """Return the factor on the learning rate.

    ``done`` (0..1) is the share of the training that is over.
    """
    return 1.0 if preset.schedule == "constant" else warm_cosine(done, WARM_UP)


def warm_cosine(done: float, warm_up: float) -> float:
    """Return a factor that rises first and then falls to 0.

    It rises over the first share ``warm_up`` of the training and falls as half a cosine.
    """
    return min(1.0, (done + 1e-3) / warm_up) * 0.5 * (1 + math.cos(math.pi * done))


def _batches(n: int, size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Yield full batches of row numbers in random order.

    A corpus smaller than one batch is one batch.
    """
    order = torch.from_numpy(rng.permutation(n))
    for start in range(0, max(1, n - size + 1), size):
        yield order[start : start + size]


def _views(n: int, of: int, rng: np.random.Generator) -> Tensor:
    """Return (n,) random views.

    A single view draws no random numbers, so that the presets `seed` and `paper` stay repeatable.
    """
    return torch.from_numpy(rng.integers(of, size=n)) if of > 1 else torch.zeros(n, dtype=torch.long)


def _another_text(items: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
    """Return for each sentence another one of the same image.

    The result is (M,). A sentence without another one gets itself.
    """
    order = np.lexsort((rng.random(len(items)), items))  # sentences by image, shuffled within each
    first = np.searchsorted(items[order], items[order], side="left")
    last = np.searchsorted(items[order], items[order], side="right") - 1
    position = np.arange(len(items))
    following = np.where(
        position == last, first, position + 1
    )  # the next one; after the last comes the first
    another = np.empty(len(items), dtype=np.int64)
    another[order] = order[following]
    return torch.from_numpy(another)


def epoch_line(history: tuple[Epoch, ...], epochs: int) -> str:
    """Return the line of progress after an epoch."""
    epoch = history[-1]
    best = best_epoch(history)
    like = [earlier.seconds for earlier in history if earlier.tuned == epoch.tuned]
    left = (epochs - epoch.number) * sum(like) / len(like)

    def recalls(by_k: dict[int, float]) -> str:
        return "/".join(f"{by_k[k]:.1f}" for k in KS)

    return (
        f"epoch {epoch.number}/{epochs}  loss {epoch.loss:.4f}  "
        f"image to text {recalls(epoch.image_to_text)}  text to image {recalls(epoch.text_to_image)}  "
        f"rsum {epoch.rsum:.1f} (best {best.rsum:.1f}, epoch {best.number})  "
        f"{epoch.seconds:.0f} s, {left:.0f} s left"
    )
