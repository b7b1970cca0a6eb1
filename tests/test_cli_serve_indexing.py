"""``serve PATH`` end to end, with the shipped model: a library is filled over HTTP, and Ctrl-C ends all."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import ROOT
from tests.waiting import PATIENCE, next_line, wait_for
from tests.wheelphotos import wheel_photo


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A server over two photographs that are not indexed, in a process group as of a terminal."""
    (tmp_path / "photos").mkdir()
    for name in ("coffee.png", "rocket.jpg"):
        shutil.copy(wheel_photo(name), tmp_path / "photos")
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), "serve", "photos", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("TWOBRANCH_")},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    yield server
    server.kill()
    server.wait()


def ask(url: str, method: str = "GET") -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=PATIENCE) as response:
        return json.load(response)


def test_a_new_library_is_filled_and_ctrl_c_ends_all(server: subprocess.Popen[str], tmp_path: Path) -> None:
    assert server.stdout is not None
    announced = re.search(r"http://\S+/", next_line(server, server.stdout))
    assert announced is not None
    url = announced[0]
    assert ask(f"{url}api/search?q=coffee")["hits"] == []
    assert ask(f"{url}api/index", "POST")["running"]
    now = wait_for(lambda: None if (now := ask(f"{url}api/index"))["running"] else now)
    assert (now["report"]["added"], now["error"]) == (2, None)
    best = ask(f"{url}api/search?q=a+cup+of+coffee")["hits"][0]["path"]
    assert best == str(tmp_path / "photos" / "coffee.png")
    assert ask(f"{url}api/index", "POST")["running"]  # and while that is at work:
    os.killpg(server.pid, signal.SIGINT)
    _, errors = server.communicate(timeout=PATIENCE)
    assert (errors, server.returncode) == ("", 0)
    with pytest.raises(ProcessLookupError):  # soon nobody is left of the group
        wait_for(lambda: os.killpg(server.pid, 0), "somebody is left of the group")
