"""``mcp`` end to end: a process of its own, and the SDK's client over its stdin and stdout."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters, stdio_client, types

from tests.test_cli import ROOT, run
from tests.waiting import PATIENCE
from tests.wheelphotos import wheel_photo

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of two photographs."""
    place = tmp_path_factory.mktemp("place")
    (place / "photos").mkdir()
    for name in ("coffee.png", "rocket.jpg"):
        shutil.copy(wheel_photo(name), place / "photos")
    run("index", "photos", cwd=place)
    return place


@contextmanager
def started(place: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The process, after it has answered that it is ready."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), "mcp", "--library", str(place), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(INITIALIZE) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "twobranch"
        yield process
    finally:
        process.kill()
        process.wait()


def test_an_assistant_finds_a_photo(place: Path) -> None:
    command = StdioServerParameters(
        command=sys.executable, args=[str(ROOT / "cli.py"), "--library", str(place), "mcp"]
    )

    async def ask() -> tuple[list[str], Any, Any]:
        async with Client(stdio_client(command)) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            found = await client.call_tool("search", {"query": "a cup of coffee"})
            wrong = await client.call_tool("similar", {"photo": "/etc/passwd"})
            return tools, found, wrong

    tools, found, wrong = asyncio.run(ask())
    assert tools == ["search", "similar", "where", "status"]
    hits = found.structured_content["hits"]
    assert (hits[0]["path"], hits[0]["tier"]) == (str(place / "photos" / "coffee.png"), "likely")
    assert found.structured_content["verdict"] == "1 photo is likely to match."
    (line,) = wrong.content
    assert isinstance(line, types.TextContent) and wrong.is_error
    assert line.text.startswith("/etc/passwd: no such photo")


def test_it_ends_when_stdin_closes(place: Path) -> None:
    with started(place) as process:
        out, errors = process.communicate(timeout=PATIENCE)  # closes its stdin
        assert (process.returncode, out, errors) == (0, "", "")


def test_a_call_is_answered_before_it_ends(place: Path) -> None:
    call = {"name": "search", "arguments": {"query": "a rocket", "top": 1}}
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    with started(place) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(initialized) + "\n" + json.dumps(message) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())["result"]
        assert Path(answer["structuredContent"]["hits"][0]["path"]).name == "rocket.jpg"


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(place: Path, sign: signal.Signals) -> None:
    with started(place) as process:
        process.send_signal(sign)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None and process.stderr.read() == ""


def test_a_client_that_is_gone_leaves_no_traceback(place: Path) -> None:
    with started(place) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdout.close()
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "ping"}) + "\n")
        process.stdin.close()
        process.wait(PATIENCE)
        assert "Traceback" not in process.stderr.read()


def test_without_a_library_or_the_extra_it_is_one_line(place: Path, tmp_path: Path) -> None:
    assert "no .twobranch folder" in run("mcp", cwd=tmp_path, code=1).stderr
    code = "import sys; sys.modules['mcp'] = None; sys.argv[1:] = ['mcp']\n"
    code += "from twobranch.commands.main import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TWOBRANCH_LIBRARY": str(place)},
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: `mcp` needs mcp:") and "[mcp]'" in result.stderr
