"""Trains a tiny network on made-up features again and again, killed at random, and compares what comes out.

``python -m tests.torture.training FOLDER KILLS SEED`` prints how often it was killed. All training is done in
children of a process that has imported torch, and never used it, so that each begins as a new one does.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

import torch
import torch._dynamo  # which optimisers import, in each child anew otherwise

from tests.torture.points import Points, die, watch_writes
from tests.train.test_loop import run, small
from twobranch.train.checkpoint import load_checkpoint

CHECKPOINT = "checkpoint.safetensors"
PRESET = small("default", epochs=6)


def in_child(work: Callable[[], None]) -> int:
    """The process that does it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            torch.set_num_threads(1)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def go_on(folder: Path, at: int | None) -> None:
    """Trains from where the checkpoint is; dies around the replacement of one with number ``at``."""
    watch_writes(Points(at, die), sqlite=False)
    run(folder, PRESET, resume=(folder / CHECKPOINT).is_file())


def compare(whole: Path, other: Path) -> None:
    one, two = load_checkpoint(whole / CHECKPOINT), load_checkpoint(other / CHECKPOINT)
    for group in ("network", "best", "optimizer"):
        ours, theirs = getattr(one, group), getattr(two, group)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), group
    assert [epoch.rsum for epoch in one.history] == [epoch.rsum for epoch in two.history]
    assert [path.name for path in other.iterdir()] == [CHECKPOINT]


def main() -> None:
    folder, kills, random = Path(sys.argv[1]), int(sys.argv[2]), Random(sys.argv[3])
    whole, other = folder / "whole", folder / "other"
    started = time.monotonic()
    assert code_of(in_child(lambda: go_on(whole, None))) == 0
    takes = time.monotonic() - started
    done = 0
    while done < kills:
        shutil.rmtree(other, ignore_errors=True)
        for _ in range(3):
            at = random.choice([None, random.randrange(1, 8)])
            child = in_child(lambda at=at: go_on(other, at))  # type: ignore[misc]
            if at is None:
                time.sleep(random.uniform(0, takes / 2))
                os.kill(child, signal.SIGKILL)
            code = code_of(child)
            assert code in (0, 137, -signal.SIGKILL), code
            done += code != 0
        assert code_of(in_child(lambda: go_on(other, None))) == 0
        assert code_of(in_child(lambda: compare(whole, other))) == 0
    print(done)


if __name__ == "__main__":
    main()
