"""Tuning changes what it should, keeps what it must, and draws its batches as it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from twobranch.common.progress import SILENT
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.train.checkpoint import Checkpoint, TrainingContext, network_tensors
from twobranch.train.knowledge import Knowledge
from twobranch.train.presets import PRESETS, Tuning
from twobranch.train.sides.joint import JointNetwork
from twobranch.train.sides.late_stages import LateStages
from twobranch.train.tune import TuningSplit, _captions_by_photo, _crop, _drop_pieces, _move_towards, tune


class BagOfWords(nn.Module):
    """A sentence encoder of one table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 6)

    def words(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.table(ids)

    @staticmethod
    def pool(words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return (words * mask[..., None]).sum(dim=1)


def network() -> JointNetwork:
    torch.manual_seed(0)
    branches = TwoBranchNetwork(5, 6, hidden=16, dim=8, order="seed", dropout=0.0)
    return JointNetwork(LateStages(nn.Conv2d(3, 5, 2, stride=2)), BagOfWords(), branches)  # type: ignore[arg-type]


def split() -> TuningSplit:
    """Eight photos, two views of each; photo i is bright in channel i % 3 and has the words 3 + i."""
    activations = np.random.default_rng(0).normal(0, 0.1, (8, 2, 4, 4, 3)).astype(np.float16)
    for photo in range(8):
        activations[photo, ..., photo % 3] += 1 + photo
    sentences = [[1, 3 + item % 6, 2] for item in range(8) for _ in range(2)]
    return TuningSplit(activations, np.arange(8), sentences, np.repeat(np.arange(8), 2))


def tuned(folder: Path, joint: JointNetwork, **changes: float) -> Checkpoint:
    tuning = replace(Tuning(epochs=2, photos=4), **changes)  # type: ignore[arg-type]
    return tune(
        joint,
        split(),
        split(),
        replace(PRESETS["default"], tuning=tuning),
        Knowledge(),
        TrainingContext(
            seed=1,
            checkpoint=folder / "tuning.safetensors",
            settings={},
            resume=False,
            progress=SILENT,
        ),
        earlier=(),
    )


PARTS = {"branches": "branch_rate", "late": "backbone_rate", "sentences": "text_rate"}


@pytest.mark.parametrize("frozen", [None, *PARTS])
def test_every_part_is_trained_unless_its_rate_is_zero(tmp_path: Path, frozen: str | None) -> None:
    joint = network()
    before = network_tensors(joint)
    state = tuned(tmp_path, joint, **({} if frozen is None else {PARTS[frozen]: 0.0}))
    parameters = dict(joint.named_parameters())
    for part in PARTS:
        moved = [
            not torch.equal(before[name], state.network[name]) for name in parameters if name.startswith(part)
        ]
        assert any(moved) == (part != frozen), part


def test_what_is_kept_is_the_moving_average_not_the_last_weights(tmp_path: Path) -> None:
    state = tuned(tmp_path, network(), epochs=1)
    assert [epoch.tuned for epoch in state.history] == [True]
    assert all(torch.equal(state.best[name], state.average[name]) for name in state.average)
    assert not torch.equal(state.best["sentences.table.weight"], state.network["sentences.table.weight"])


def test_what_is_kept_is_mixed_with_the_weights_before(tmp_path: Path) -> None:
    joint = network()
    before = network_tensors(joint)
    state = tuned(tmp_path, joint, epochs=1, blend=0.25)
    for name, value in before.items():
        if value.is_floating_point():
            # three parts of what was, one part of the moving average
            expected = 0.75 * value + 0.25 * state.average[name]
            torch.testing.assert_close(state.best[name], expected)


def test_the_average_moves_by_its_share() -> None:
    joint = network()
    average = {name: torch.zeros_like(value) for name, value in network_tensors(joint).items()}
    for _ in range(2):
        _move_towards(average, joint, 0.25)
    # 0 -> 1/4 of the value -> 1/4 + 1/4 of the remaining 3/4 = 7/16
    weight = joint.sentences.table.weight
    torch.testing.assert_close(average["sentences.table.weight"], weight.detach() * 7 / 16)


def test_captions_are_found_whatever_their_order() -> None:
    found = _captions_by_photo(np.array([2, 0, 2, 1, 0]), 3)
    assert [rows.tolist() for rows in found] == [[1, 4], [3], [0, 2]]


def test_dropping_words_keeps_the_marks_at_both_ends() -> None:
    rng = np.random.default_rng(0)
    assert _drop_pieces([1, 5, 6, 7, 2], 1.0, rng) == [1, 2]
    assert _drop_pieces([1, 5, 6, 7, 2], 0.0, rng) == [1, 5, 6, 7, 2]


def test_a_crop_is_a_window_of_at_least_seven_tenths() -> None:
    # The value of a cell tells where it was.
    activations = torch.arange(100.0).reshape(1, 1, 10, 10)
    rng = np.random.default_rng(0)
    for _ in range(50):
        window = _crop(activations, rng)[0, 0]
        height, width = window.shape
        assert 7 <= height <= 10
        assert 7 <= width <= 10
        top, left = divmod(int(window[0, 0]), 10)
        assert torch.equal(window, activations[0, 0, top : top + height, left : left + width])
