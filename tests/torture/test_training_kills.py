"""A training that is killed goes on to the very network that it would have come to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.torture.conftest import Rounds

ROOT = Path(__file__).parent.parent.parent


def test_a_killed_training_resumes_to_the_same_network(
    tmp_path: Path, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    pytest.importorskip("torch")
    if not hasattr(os, "fork"):
        pytest.skip("needs fork, which this system does not have")
    kills, seed = rounds(short=2, long=100), random.random()
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.training", str(tmp_path), str(kills), str(seed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    tally["death during `train`"] += int(done.stdout)
