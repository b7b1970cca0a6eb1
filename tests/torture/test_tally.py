"""The count of what was survived is itself held to its word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CONFTEST = Path(__file__).with_name("conftest.py")

TESTS = """
def test_two(tally, rounds):
    tally["survived"] += rounds(short=2, long=200)

def test_failing(tally):
    tally["survived"] += 40
    assert {passes}
"""


def run(folder: Path, *options: str, passes: bool) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(
        (ROOT / "tests" / "conftest.py").read_text()
        + CONFTEST.read_text().replace("from __future__ import annotations", "")
    )
    (folder / "test_it.py").write_text(TESTS.format(passes=passes))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    return subprocess.run(
        [*command, *options, "--torture-report", str(folder / "report.md")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_counts_are_added_up_and_reported_with_the_seed(tmp_path: Path, workers: tuple[str, ...]) -> None:
    result = run(tmp_path, *workers, passes=True)

    assert "| survived | 42 |" in result.stdout  # 2 + 40
    assert "the short form, seed 1" in (tmp_path / "report.md").read_text()


def test_a_failure_leaves_no_report_and_its_test_no_count(tmp_path: Path) -> None:
    result = run(tmp_path, passes=False)

    assert "| survived | 2 |" in result.stdout
    assert not (tmp_path / "report.md").exists()
