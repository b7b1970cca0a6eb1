"""A checkpoint that cannot be written leaves the one that is there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from twobranch.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


def test_a_full_disk_is_an_os_error_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    network, best = {"weight": torch.ones(2)}, {"weight": torch.ones(2)}
    save_checkpoint(Checkpoint({"epoch": 1}, (), network, best, {}), path)

    def full(partial: Path, content: bytes) -> int:
        partial.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device"):
        save_checkpoint(Checkpoint({"epoch": 2}, (), network, best, {}), path)
    assert load_checkpoint(path).settings == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]
