"""A server's searches share the cores: each product stays on the thread that asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder
from twobranch.indexer.update.library import update_library

# `serve` as it is typed, with a server that only imports NumPy. The number is printed when that is asked for.
PROGRAM = """
import os, sys, types
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"))
sys.meta_path.insert(0, Watch())
fake = types.ModuleType("server.run")
fake.run = lambda *_: __import__("numpy")
sys.modules["twobranch.server.run"] = fake
from twobranch.commands.main import main
main()
"""


@pytest.mark.parametrize(("own", "expected"), [(None, "1"), ("3", "3")])
def test_it_is_said_before_numpy_is_imported(
    own: str | None, expected: str, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    """NumPy reads it once, when it is imported."""
    update_library(library, [photos], encoder)
    others = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--library", str(library), "serve"],
        env=others | ({} if own is None else {"OPENBLAS_NUM_THREADS": own}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout.strip(), ended.returncode) == (expected, 0), ended.stderr
