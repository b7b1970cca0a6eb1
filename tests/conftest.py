from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photos


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The path of a library folder that does not exist yet."""
    return tmp_path / ".twobranch"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with one photo of each primary colour."""
    folder = tmp_path / "photos"
    write_photos(folder, {"red.png": "red", "green.png": (0, 255, 0), "blue.png": "blue"})
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """For ``tests/torture``; here, where pytest sees them whatever tests are asked for."""
    group = parser.getgroup("torture")
    group.addoption(
        "--long",
        nargs="?",
        const=1.0,
        type=float,
        metavar="SHARE",
        help="Torture for an hour or two rather than for seconds; --long=0.3 for less of it.",
    )
    group.addoption("--seed", default="1", help="Of everything random in tests/torture.")
    group.addoption("--torture-report", metavar="FILE", help="Write there what was survived, if all was.")
