"""The training loop: from features to the best network, one function read from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
WARM_UP = 0.05  # of all steps: the cosine schedule rises first


@dataclass(frozen=True)
class FeatureSplit:
    """The features of one split: ``texts[j]`` describes ``images[items[j]]``."""

    images: NDArray[np.float32]  # (N, V, C_image): V views of each photo, the first as it is searched
    texts: NDArray[np.float32]  # (M, C_text)
    items: NDArray[np.int64]  # (M,)
    sources: tuple[str, ...] = ()  # (N,) the collection of each photo; empty where there is only one


def fit(
    train: FeatureSplit,
    dev: FeatureSplit,
    preset: Preset,
    *,
    knowledge: Knowledge,
    seed: int,
    checkpoint: Path,
    settings: dict[str, Any],
    resume: bool,
    progress: Progress,
) -> Checkpoint:
    """Train the two branches; the checkpoint with the network of the best dev rsum.

    Writes ``checkpoint`` after every epoch; ``resume`` goes on from it and gives the network that an
    uninterrupted run would have given: every epoch draws from a generator of its own, seeded with
    (seed, epoch), so no random state needs saving. Class-name pairs are mixed into the batches in the share
    that the preset asks for. ``settings`` are kept in the checkpoint.
    """
    classes = knowledge.classes
    torch.manual_seed(seed)
    network = new_network(train, preset)
    optimizer = _optimizer(network, preset)
    history: tuple[Epoch, ...] = ()
    best = network_tensors(network)
    if resume:
        state = load_checkpoint(checkpoint)
        network.load_state_dict(state.network)
        restore_optimizer(optimizer, state.optimizer)
        history, best = state.history, state.best
        progress.note(f"going on after epoch {len(history)} of {preset.epochs}")

    images, texts = torch.from_numpy(train.images), torch.from_numpy(train.texts)
    items = torch.from_numpy(train.items)
    steps_per_epoch = max(1, len(items) // preset.batch_size)
    for number in range(len(history) + 1, preset.epochs + 1):
        started = time.perf_counter()
        torch.manual_seed(seed * 100_003 + number)  # dropout
        rng = np.random.default_rng((seed, number))
        siblings = _another_text(train.items, rng)
        network.train()
        total = 0.0
        progress.start(f"epoch {number}/{preset.epochs}", steps_per_epoch)
        for step, batch in enumerate(_batches(len(items), preset.batch_size, rng)):
            done = (number - 1 + step / steps_per_epoch) / preset.epochs
            for group in optimizer.param_groups:
                group["lr"] = preset.learning_rate * _schedule(preset, done)
            text_features, item = texts[batch], items[batch]
            image_features = images[item, _views(len(batch), images.shape[1], rng)]
            said = (
                knowledge.classifier.log_probabilities(image_features.numpy())
                if knowledge.classifier
                else None
            )
            drawn_classes = np.empty(0, dtype=np.int64)
            if classes is not None:
                drawn = classes.draw(int(preset.class_share * len(batch)), rng)
                drawn_classes = drawn.classes
                image_features = torch.cat([image_features, torch.from_numpy(drawn.images)])
                text_features = torch.cat([text_features, torch.from_numpy(classes.texts[drawn.rows])])
                item = torch.cat([item, torch.from_numpy(drawn.items)])
            image_rows = network.embed_images(image_features)  # (B, D)
            text_rows = network.embed_texts(text_features)  # (B, D)
            if preset.loss == "ranking":
                loss = bidirectional_ranking_loss(image_rows, text_rows, item, preset.margin)
            elif preset.loss == "info-nce":
                wrong = knowledge.negatives(train.items[batch], batch.numpy(), drawn_classes, said)
                loss = info_nce_loss(image_rows, text_rows, item, preset.temperature, wrong)
            else:
                more = network.embed_texts(texts[siblings[batch]])
                loss = two_branch_loss(image_rows, text_rows, more, item, margin=preset.margin)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            progress.advance()
        progress.finish()
        recalls = dev_recalls(*dev_rows(network, dev), dev.items, dev.sources)
        epoch = Epoch(number, total / steps_per_epoch, *recalls, time.perf_counter() - started)
        if epoch.rsum > max((earlier.rsum for earlier in history), default=-1.0):
            best = network_tensors(network)
        history = (*history, epoch)
        state = Checkpoint(settings, history, network_tensors(network), best, optimizer_tensors(optimizer))
        save_checkpoint(state, checkpoint)
        progress.note(epoch_line(history, preset.epochs))
    return load_checkpoint(checkpoint)


def new_network(train: FeatureSplit, preset: Preset) -> TwoBranchNetwork:
    """The untrained network of a preset for these features."""
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
    """(N, D) photos and (M, D) texts as unit rows."""
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
    """Recall in percent by k, text to image and image to text, of (N, D) photos and (M, D) texts.

    With several sources the mean over them, each in a gallery of its own: a gain on one that costs another is
    none.
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
    """The typical size of one feature; 1 where all are zero."""
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
    """The factor on the learning rate when ``done`` (0..1) of the training is over."""
    return 1.0 if preset.schedule == "constant" else warm_cosine(done, WARM_UP)


def warm_cosine(done: float, warm_up: float) -> float:
    """A factor that rises over the first ``warm_up`` of the training and falls to 0 as half a cosine."""
    return min(1.0, (done + 1e-3) / warm_up) * 0.5 * (1 + math.cos(math.pi * done))


def _batches(n: int, size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Row numbers in random order, in full batches; a corpus smaller than one batch is one batch."""
    order = torch.from_numpy(rng.permutation(n))
    for start in range(0, max(1, n - size + 1), size):
        yield order[start : start + size]


def _views(n: int, of: int, rng: np.random.Generator) -> Tensor:
    """(n,) random views. A lone view draws nothing: `seed` and `paper` go on as they always did."""
    return torch.from_numpy(rng.integers(of, size=n)) if of > 1 else torch.zeros(n, dtype=torch.long)


def _another_text(items: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
    """(M,) for each sentence another one of the same image, or itself where there is no other."""
    order = np.lexsort((rng.random(len(items)), items))  # sentences by image, shuffled within each
    first = np.searchsorted(items[order], items[order], side="left")
    last = np.searchsorted(items[order], items[order], side="right") - 1
    position = np.arange(len(items))
    following = np.where(position == last, first, position + 1)  # the next one, around the corner
    another = np.empty(len(items), dtype=np.int64)
    another[order] = order[following]
    return torch.from_numpy(another)


def epoch_line(history: tuple[Epoch, ...], epochs: int) -> str:
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
