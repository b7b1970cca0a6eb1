"""The loop learns, repeats itself, and goes on after an interruption as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from twobranch.common.progress import SILENT, Silent
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.train.checkpoint import Checkpoint, TrainingContext, load_checkpoint
from twobranch.train.knowledge import Knowledge
from twobranch.train.loop import FeatureSplit, _another_text, dev_recalls, dev_rows, fit, fitted_temperature
from twobranch.train.presets import PRESETS, Preset

N = 48


def split(seed: int, n: int = N) -> FeatureSplit:
    """Each item has a hidden 4-vector; image and sentences are linear views of it, with little noise."""
    world = np.random.default_rng(0)
    to_image, to_text = world.normal(size=(4, 10)), world.normal(size=(4, 6))
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 4))
    items = np.repeat(np.arange(n), 2)
    texts = hidden[items] @ to_text + 0.1 * rng.normal(size=(2 * n, 6))
    return FeatureSplit((hidden @ to_image)[:, None].astype(np.float32), texts.astype(np.float32), items)


def small(name: str, **changes: object) -> Preset:
    sizes = {"hidden": 32, "dim": 8, "batch_size": 16, "epochs": 4, "learning_rate": 0.01, "dropout": 0.1}
    return replace(PRESETS[name], **{**sizes, **changes})  # type: ignore[arg-type]


def run(
    folder: Path, preset: Preset, *, resume: bool = False, progress: object = SILENT, seed: int = 1
) -> Checkpoint:
    return fit(
        split(1),
        split(2),
        preset,
        Knowledge(),
        TrainingContext(
            seed=seed,
            checkpoint=folder / "checkpoint.safetensors",
            settings={"why": "test"},
            resume=resume,
            progress=progress,  # type: ignore[arg-type]
        ),
    )


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.text != "model"])
def test_every_preset_learns(tmp_path: Path, name: str) -> None:
    state = run(tmp_path, small(name, epochs=15))
    best = max(epoch.rsum for epoch in state.history)
    # Chance on 48 images and 96 sentences: rsum about 2 x (2 + 10 + 21) = 66.
    assert best > 200


def test_the_same_seed_gives_the_same_network(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a", small("default")), run(tmp_path / "b", small("default"))
    other = run(tmp_path / "c", small("default"), seed=2)
    assert all(torch.equal(first.best[name], second.best[name]) for name in first.best)
    assert not all(torch.equal(first.best[name], other.best[name]) for name in first.best)


class StopAfter(Silent):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def start(self, label: str, total: int | None) -> None:
        self.label = label

    def advance(self, n: int = 1) -> None:
        if self.label.startswith(f"epoch {self.epoch}/"):
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["default", "seed"])  # AdamW and SGD keep different moments
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path, name: str) -> None:
    whole = run(tmp_path / "whole", small(name))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", small(name), progress=StopAfter(3))
    kept = load_checkpoint(tmp_path / "cut" / "checkpoint.safetensors")
    assert [epoch.number for epoch in kept.history] == [1, 2]
    assert kept.settings == {"why": "test"}
    resumed = run(tmp_path / "cut", small(name), resume=True)
    assert all(torch.equal(whole.network[key], resumed.network[key]) for key in whole.network)
    assert [epoch.rsum for epoch in resumed.history] == [epoch.rsum for epoch in whole.history]


def test_the_best_epoch_is_kept_not_the_last(tmp_path: Path) -> None:
    # A learning rate that wrecks the network sooner or later.
    preset = small("seed", learning_rate=30.0, schedule="constant", epochs=6)
    state = run(tmp_path, preset)
    network = TwoBranchNetwork(10, 6, hidden=32, dim=8, order="seed", dropout=0.1)
    network.load_state_dict(state.best)
    ways = dev_recalls(*dev_rows(network, split(2)), split(2).items)
    rsum = sum(recall for way in ways for recall in way.values())
    assert rsum == pytest.approx(max(epoch.rsum for epoch in state.history))


def test_a_temperature_is_fitted_to_how_far_apart_the_cosines_are() -> None:
    """Of vectors ten times as long the cosines are ten times as far apart, and so is the temperature."""
    rng = np.random.default_rng(0)
    items = np.arange(64)
    photos = np.eye(64, dtype=np.float32)
    noise = rng.normal(size=(64, 64)).astype(np.float32)
    near, far = (FeatureSplit(photos[:, None], part * (3 * photos + noise), items) for part in (0.05, 0.5))
    ratio = fitted_temperature(far) / fitted_temperature(near)
    assert ratio == pytest.approx(10, rel=0.2)  # the grid has steps of 17 percent


def test_another_text_is_of_the_same_image_and_not_the_same_one() -> None:
    items = np.array([0, 1, 0, 2, 1, 0])
    another = _another_text(items, np.random.default_rng(0)).numpy()
    assert items[another].tolist() == items.tolist()
    assert all(another[row] != row for row in (0, 1, 2, 4, 5))
    assert another[3] == 3  # image 2 has only one sentence


def test_several_sources_count_alike_each_in_its_own_gallery() -> None:
    # Photos 0-2 are of one source and point along axis 0, 1, 2; photo 3 alone is of the other.
    images = np.eye(4, dtype=np.float32)
    texts = images[[0, 1, 1, 3]]  # the text of photo 2 points to photo 1
    items = np.array([0, 1, 2, 3])
    to_images, to_texts = dev_recalls(images, texts, items, ("a", "a", "a", "b"))
    # a: two of three texts find their photo first; b: its only photo. (2/3 + 1) / 2
    assert to_images[1] == pytest.approx(100 * (2 / 3 + 1) / 2)
    # Photo 1 ties with the text of photo 2 (ties count against us), photo 2 scores 0 with all: 1/3 and 1.
    assert to_texts[1] == pytest.approx(100 * (1 / 3 + 1) / 2)
