"""What the tests share that break things on purpose: a size, a seed, and a count of what was survived.

Short, as in CI: ``pytest tests/torture``. Long: ``make torture``, which writes ``benchmarks/torture.md``.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.torture.zygote import zygote  # noqa: F401 (a fixture)
from twobranch.common.cpu import usable_cores

_counts = pytest.StashKey[Counter[str]]()


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Rounds:
    """How often to do it."""
    return Rounds(request.config.getoption("--long"))


class Rounds:
    """``rounds(short=3, long=300)``: how often a test does it. ``size`` is the share of ``long`` that
    is done, None for the short form."""

    def __init__(self, size: float | None) -> None:
        self.size = size

    @property
    def is_long(self) -> bool:
        return self.size is not None

    def __call__(self, *, short: int, long: int) -> int:
        return short if self.size is None else max(short, round(self.size * long))


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    """Seeded anew for each test, so that one can be run again alone."""
    return Random(f"{request.config.getoption('--seed')} {request.node.name}")


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Counts for the report, by what was counted: ``tally["SIGKILL during index"] += 1``.

    They are the report's only if the test passes.
    """
    mine: Counter[str] = Counter()
    yield mine
    if not getattr(request.node, "failed_call", False):
        request.config.stash.setdefault(_counts, Counter()).update(mine)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call" and report.failed:
        item.failed_call = True  # type: ignore[attr-defined]
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its counts to the process that reports."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["torture"] = dict(session.config.stash.get(_counts, Counter()))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    node.config.stash.setdefault(_counts, Counter()).update(
        getattr(node, "workeroutput", {}).get("torture", {})
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    counts = config.stash.get(_counts, Counter())
    if not counts:
        return
    lines = [f"| {what} | {n:,} |" for what, n in sorted(counts.items())]
    table = "\n".join(["| what was done, and survived | times |", "|---|---|", *lines])
    terminalreporter.section("torture")
    terminalreporter.write_line(table)
    report = config.getoption("--torture-report")
    if report is not None and exitstatus == 0:
        size = config.getoption("--long")
        form = "the short form" if size is None else f"{size:.0%} of the long form"
        Path(report).write_text(
            f"# What was done to a library, and survived\n\n"
            f"By `make torture`: {form}, seed {config.getoption('--seed')}, {date.today().isoformat()}, "
            f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
            f"{usable_cores()} cores. Data lost: none. Wrong vectors: none. Crashes: none. "
            f"(A test that finds any fails, and then there is no report.)\n\n{table}\n"
        )
