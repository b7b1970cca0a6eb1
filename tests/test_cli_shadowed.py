"""Somebody else's modules under the names of our folders, before ours on Python's path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_cli import ROOT

START = "from twobranch.commands.main import main\nmain()"
# As the installed program starts: our folder is on the path, but not first.
INSTALLED = f"import sys; sys.path.append({str(ROOT)!r})\n{START}"


@pytest.mark.parametrize("name", ["commands.py", "server.py", "train/__init__.py", "cli.py"])
@pytest.mark.parametrize("start", [["-c", INSTALLED], [str(ROOT / "cli.py")], ["-m", "twobranch"]])
def test_only_one_name_is_ours(tmp_path: Path, name: str, start: list[str]) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise RuntimeError('it was imported')\n")
    (tmp_path / "elsewhere").mkdir()
    paths = str(tmp_path) if start[0] != "-m" else f"{tmp_path}{os.pathsep}{ROOT}"
    result = subprocess.run(
        [sys.executable, *start, "--version"],
        capture_output=True,
        text=True,
        cwd=tmp_path / "elsewhere",
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("twobranch ")
