"""Something else under the name of one of our packages, before ours on Python's path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_cli import ROOT

# As the installed program starts: our folder is on the path, but not first; an editable install finds our
# packages after everything on the path.
STARTS = {
    "installed": f"import sys; sys.path.append({str(ROOT)!r})",
    "editable": (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Ours:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        return None if '.' in name else PathFinder.find_spec(name, [{str(ROOT)!r}])\n"
        "sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, Ours)"
    ),
}


def version(place: Path, start: list[str]) -> subprocess.CompletedProcess[str]:
    """``twobranch --version`` with ``place`` on PYTHONPATH."""
    environment = {**os.environ, "PYTHONPATH": str(place)}
    (place / "elsewhere").mkdir()
    return subprocess.run(
        [sys.executable, *start, "--version"],
        capture_output=True,
        text=True,
        cwd=place / "elsewhere",
        env=environment,
    )


@pytest.mark.parametrize("name", ["commands.py", "server.py", "train/__init__.py"])
@pytest.mark.parametrize("how", STARTS)
def test_a_module_of_somebody_else_is_one_line(tmp_path: Path, name: str, how: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise RuntimeError('it was imported')\n")
    result = version(tmp_path, ["-c", f"{STARTS[how]}\nfrom cli import main\nmain()"])
    module = name.split("/")[0]
    assert result.returncode == 1
    assert result.stderr == (
        f"error: {tmp_path / module} is found instead of twobranch's own {module.removesuffix('.py')}; "
        f"rename it, or take {tmp_path} off Python's path (PYTHONPATH)\n"
    )


def test_a_folder_that_is_no_package_hides_ours_in_an_editable_install(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "photo.jpg").touch()
    start = "\nfrom cli import main\nmain()"
    result = version(tmp_path, ["-c", STARTS["editable"] + start])
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"error: {tmp_path / 'train'} is found instead of twobranch's own train")


@pytest.mark.parametrize(
    "start", [[str(ROOT / "cli.py")], ["-c", STARTS["editable"] + "\nimport cli; cli.main()"]]
)
def test_what_is_not_in_the_way_does_not_matter(tmp_path: Path, start: list[str]) -> None:
    """In a checkout ours come first, whatever is on PYTHONPATH."""
    (tmp_path / ("commands.py" if len(start) == 1 else "commanders.py")).write_text("raise RuntimeError\n")
    result = version(tmp_path, start)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("twobranch ")
