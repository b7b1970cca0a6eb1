"""The saved state of an unfinished training run.

One safetensors file holds it. The file is replaced after each epoch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from twobranch.common.atomic import replacing
from twobranch.common.errors import UserError
from twobranch.common.progress import Progress

Tensors = dict[str, Tensor]
_GROUPS = ("network", "best", "optimizer", "average")


@dataclass(frozen=True)
class Epoch:
    """One epoch's outcome; recall in percent by k."""

    number: int  # from 1
    loss: float
    text_to_image: dict[int, float]
    image_to_text: dict[int, float]
    seconds: float
    tuned: bool = False  # trained more than the branches

    @property
    def rsum(self) -> float:
        return sum(self.text_to_image.values()) + sum(self.image_to_text.values())


@dataclass(frozen=True)
class Checkpoint:
    """The state after an epoch, with the best network so far.

    The next epoch depends on nothing else.
    """

    settings: dict[str, Any]  # of the run; resuming with others is refused
    history: tuple[Epoch, ...]
    network: Tensors
    best: Tensors
    optimizer: Tensors
    average: Tensors = field(default_factory=dict)  # of the weights over the last steps; {} if none is kept


@dataclass(frozen=True)
class TrainingContext:
    """Seed, checkpoint file and progress of a training loop."""

    seed: int
    checkpoint: Path  # written after every epoch
    settings: dict[str, Any]  # of the run, kept in the checkpoint
    resume: bool  # continue from the checkpoint
    progress: Progress


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """Return the epoch with the highest dev rsum, whose network is kept.

    If any epochs were tuned, only those are compared.
    """
    last = [epoch for epoch in history if epoch.tuned] or history
    return max(last, key=lambda epoch: epoch.rsum)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint and replace ``path`` in one step.

    A kill leaves either the old file or the new one. Raises ``OSError``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{group}/{name}": tensor.contiguous()
        for group in _GROUPS
        for name, tensor in getattr(checkpoint, group).items()
    }
    state = {"settings": checkpoint.settings, "history": [asdict(epoch) for epoch in checkpoint.history]}
    for left in path.parent.glob(f"{path.name}.*.part"):  # left by a training run that was killed
        left.unlink(missing_ok=True)
    with replacing(path) as partial:
        write_tensors(tensors, partial, metadata={"state": json.dumps(state)})


def write_tensors(tensors: Tensors, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file. Raises ``OSError``.

    This takes as much memory again as the tensors. ``save_file`` is not used: since version 0.8 it first
    writes a hidden file beside ``path`` that only its owner may read. After a kill that file stays, under a
    name that nothing cleans up.
    """
    path.write_bytes(save(tensors, metadata=metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises ``UserError`` when the file is damaged."""
    try:
        groups: dict[str, Tensors] = {group: {} for group in _GROUPS}
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            for key in file.keys():  # noqa: SIM118 (not a dict)
                group, name = key.split("/", 1)
                groups[group][name] = file.get_tensor(key)
        history = tuple(_epoch(entry) for entry in state["history"])
        return Checkpoint(state["settings"], history, **groups)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"{path}: damaged checkpoint ({error}); delete its folder and train again") from None


def _epoch(entry: dict[str, Any]) -> Epoch:
    recalls = {
        way: {int(k): value for k, value in entry[way].items()} for way in ("text_to_image", "image_to_text")
    }
    return Epoch(
        entry["number"],
        entry["loss"],
        recalls["text_to_image"],
        recalls["image_to_text"],
        entry["seconds"],
        entry["tuned"],
    )


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """Return copies of the optimiser's moments, by "parameter number.name"."""
    return {
        f"{number}.{name}": value.detach().clone()
        for number, entries in optimizer.state_dict()["state"].items()
        for name, value in entries.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Load the tensors of ``optimizer_tensors`` into an optimiser."""
    state: dict[int, Tensors] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def network_tensors(network: nn.Module) -> Tensors:
    """Return a copy of the network's parameters and buffers."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
