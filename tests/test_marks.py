"""The tiers of tests: every mark stands for tests that exist, and `make check` leaves all of them out."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.conftest import MARKS

HERE = Path(__file__).parent
FILES = [path.relative_to(HERE).as_posix() for path in HERE.rglob("test_*.py")]


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in MARKS])
def test_every_pattern_names_a_test_file(pattern: str) -> None:
    name, _, test = pattern.partition("::")
    found = [file for file in FILES if fnmatch(file, name)]
    assert found, "moved or removed: mark it where it is now"
    if test:
        function = re.escape(test.partition("*")[0])
        assert re.search(rf"^def {function}", (HERE / found[0]).read_text(encoding="utf-8"), re.MULTILINE)


def test_make_check_leaves_out_every_mark(pytestconfig: pytest.Config) -> None:
    line = re.search(r"^QUICK := (.*)$", (HERE.parent / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert line
    ours = {mark for _, mark in MARKS}
    assert set(line[1].split(" and ")) == {f"not {mark}" for mark in ours}
    declared = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert ours <= declared
