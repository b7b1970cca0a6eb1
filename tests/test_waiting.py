"""What waits for ever must fail: the helpers that all tests wait with."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests import waiting
from tests.waiting import next_line, receive_until, wait_for


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.2)


def test_the_first_true_answer_is_given() -> None:
    answers = iter([0, None, "", 7])
    assert wait_for(lambda: next(answers)) == 7


def test_what_never_comes_fails() -> None:
    with pytest.raises(AssertionError, match=r"still False after 0\.2 s: no photo"):
        wait_for(lambda: False, "no photo")


def test_a_connection_that_is_closed_early_fails() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"half")
        there.close()
        with pytest.raises(AssertionError, match="closed after b'half'"):
            receive_until(here, lambda data: data == b"half and half")


def test_a_connection_on_which_nothing_comes_fails() -> None:
    here, there = socket.socketpair()
    with here, there, pytest.raises(TimeoutError):
        receive_until(here, lambda data: data == b"anything")


def test_a_process_that_says_nothing_is_ended() -> None:
    silent = [sys.executable, "-c", "import time; time.sleep(3600)"]
    with subprocess.Popen(silent, stdout=subprocess.PIPE, text=True) as process:
        assert next_line(process, process.stdout) == ""
    assert process.returncode != 0
