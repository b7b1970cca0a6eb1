from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photos

HERE = Path(__file__).parent
# Marks by location: the first pattern that "path" or "path::test" matches; "*" matches "/" too.
# `make check` runs the tests that have none.
MARKS = (
    ("browser/*", "browser"),
    ("train/*", "train"),
    ("torture/*", "torture"),
    ("test_cli*.py", "cli"),
    ("test_privacy.py", "cli"),
    # servers over a library, builds of the package, the same search by two ways
    ("server/*", "slow"),
    ("test_package.py", "slow"),
    ("test_one_answer.py", "slow"),
    # many whole libraries, or many runs over one
    ("indexer/test_schematext.py", "slow"),
    ("indexer/test_states.py", "slow"),
    ("indexer/test_compare.py::test_status_says_what_the_next_index_does", "slow"),
    # pretrained networks, thousands of vectors, files of many megapixels, real time that passes
    ("embedding/test_backbones.py", "slow"),
    ("indexer/test_badphotos.py::test_what_cannot_be_read_is_listed_with_the_reason*bomb*", "slow"),
    ("indexer/test_doctor.py::test_a_library_at_work_is_left_alone", "slow"),
    ("indexer/test_doctor.py::test_inverted_lists*", "slow"),
    ("indexer/test_galleries.py", "slow"),
    ("indexer/test_neighbours.py", "slow"),
    ("indexer/test_plan.py", "slow"),
    ("indexer/test_watching.py", "slow"),
    ("retrieval/test_filter_limits.py", "slow"),
    ("test_configvalues.py::test_any_value_for_any_option", "slow"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the folder or file that they are in."""
    for item in items:
        if mark := mark_of(item.path.relative_to(HERE).as_posix(), item.name):
            item.add_marker(mark)


def mark_of(path: str, test: str) -> str | None:
    """Return the mark of a test in a file, relative to this folder; None for most."""
    for pattern, mark in MARKS:
        if fnmatch(path, pattern) or fnmatch(f"{path}::{test}", pattern):
            return mark
    return None


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder of the tests' own, for the programs that they start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


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
