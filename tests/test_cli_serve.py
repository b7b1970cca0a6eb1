"""``serve`` end to end: a process, the address that it prints, and requests over a socket."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.fakes import FakeEncoder
from tests.server.serving import form, receive, request
from tests.test_cli import ROOT, run
from tests.waiting import PATIENCE, next_line, receive_until
from tests.wheelphotos import wheel_photo
from twobranch.indexer.update.library import update_library

# Seconds; the server itself takes 3.5 at most, and Python its time to end on a busy machine.
ENDS_WITHIN = 30


class Serve:
    """A running ``serve``."""

    def __init__(self, process: subprocess.Popen[str], lines: list[str]) -> None:
        self.process = process
        self.lines = lines  # that it printed before it answered, and with its address
        self.url = re.search(r"http://\S+/", lines[-1])[0]  # type: ignore[index]
        self.port = urlsplit(self.url).port

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def end(self, sign: int = signal.SIGTERM) -> tuple[int, float, str]:
        """Exit code, seconds until then, and what it printed to stderr."""
        started = monotonic()
        self.process.send_signal(sign)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, monotonic() - started, errors


@contextmanager
def serve(
    library: Path,
    *options: str,
    token: str | None = None,
    environment: Mapping[str, str] = os.environ,
    under: Sequence[str] = (),
) -> Iterator[Serve]:
    """``serve``, with ``under`` before the command, which becomes it: ``strace -D``."""
    environment = {name: value for name, value in environment.items() if not name.startswith("TWOBRANCH_")}
    if token is not None:
        environment["TWOBRANCH_TOKEN"] = token
    command = [sys.executable, str(ROOT / "cli.py")]
    process = subprocess.Popen(
        [*under, *command, "--library", str(library), "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while not lines or "serving" not in lines[-1]:
            lines.append(next_line(process, process.stdout))
            assert lines[-1], process.communicate()[1]
        yield Serve(process, lines)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def indexed(library: Path, photos: Path, encoder: FakeEncoder) -> Path:
    update_library(library, [photos], encoder)
    return library


def test_searching_a_real_library_until_ctrl_c(tmp_path: Path) -> None:
    for name in ("coffee.png", "rocket.jpg"):
        (tmp_path / name).write_bytes(wheel_photo(name).read_bytes())
    run("index", ".", cwd=tmp_path)
    file = io.BytesIO()
    Image.new("RGB", (12_000, 10_000)).save(file, "PNG")  # 120 megapixels: a second or two to decode
    header, body = form(file.getvalue())
    with serve(tmp_path / ".twobranch") as server:
        assert server.lines[0].startswith("serving ")
        assert server.url == f"http://127.0.0.1:{server.port}/"
        status, answer = server.get("/api/search?q=a+cup+of+coffee&top=1")
        assert (status, Path(json.loads(answer)["hits"][0]["path"]).name) == (200, "coffee.png")
        assert server.get("/", Host="evil.example")[0] == 421
        with server.connect() as idle, server.connect() as searching, server.connect() as sending:
            idle.sendall(request("GET", "/healthz"))
            assert receive(idle).status == 200
            for connection, length in ((searching, len(body)), (sending, 100_000)):
                headers = (header, f"Content-Length: {length}", "Expect: 100-continue")
                connection.sendall(request("POST", "/api/search", *headers))
                receive_until(connection, lambda data: data == b"HTTP/1.1 100 Continue\r\n\r\n")  # at work
            searching.sendall(body)
            code, seconds, errors = server.end(signal.SIGINT)
    assert code == 0, errors
    assert seconds < ENDS_WITHIN
    assert "Traceback" not in errors


def test_sigterm_ends_an_idle_server(indexed: Path) -> None:
    with serve(indexed) as server:
        assert server.get("/healthz") == (200, b'{"ok": true}')
        code, seconds, errors = server.end()
    assert (code, errors) == (0, "")
    assert seconds < ENDS_WITHIN


def test_other_machines_need_a_token_which_is_shown_once(indexed: Path) -> None:
    with serve(indexed, "--host", "0.0.0.0") as server:
        token = server.lines[0].removeprefix("token: ").strip()
        assert len(token) >= 20
        assert socket.gethostname() in server.url
        assert server.get("/api/status")[0] == 401
        assert server.get("/api/status", Authorization=f"Bearer {token}")[0] == 200
        assert server.get("/api/status", Authorization=f"Bearer {token}x")[0] == 401
        code, _, errors = server.end()
    assert (code, errors) == (0, "")
    assert not any(token in line for line in server.lines[1:])


def test_a_token_of_ones_own_and_a_name_behind_a_proxy(indexed: Path) -> None:
    with serve(indexed, "--allow-host", "photos.example.org", token="a-token-of-my-own") as server:
        assert len(server.lines) == 1  # it is known already
        headers = {"Host": "photos.example.org", "Authorization": "Bearer a-token-of-my-own"}
        assert server.get("/api/status", **headers)[0] == 200
        assert server.get("/api/status", Host="photos.example.org")[0] == 401
    with serve(indexed, "--allow-host", "photos.example.org") as server:
        assert server.lines[0].startswith("token: ")  # whoever reaches the proxy could see everything


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--host", "203.0.113.7"], "no address of this machine"),
        (["--host", "no such host"], "no such address"),
        (["--host", "a" * 70 + ".example"], "no such address"),
        (["--token", "short"], "12 letters"),
        (["--token", ""], "12 letters"),
        (["--token", "with a space in it"], "12 letters"),
        (["--allow-host", "https://photos.example.org/"], "not a host name"),
        (["no-such-folder"], "no such folder"),
    ],
)
def test_what_cannot_be_served(indexed: Path, options: list[str], error: str, tmp_path: Path) -> None:
    result = run("--library", indexed, "serve", "--port", "0", *options, cwd=tmp_path, code=1)
    assert error in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_port_that_is_taken(indexed: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("--library", indexed, "serve", "--port", str(port), cwd=tmp_path, code=1)
    assert f"port {port} of 127.0.0.1 is taken" in result.stderr


def test_libraries_that_cannot_be_served(indexed: Path, tmp_path: Path) -> None:
    catalog = indexed / "catalog.sqlite"
    _set_version(catalog)
    assert "newer" in run("--library", indexed, "serve", cwd=tmp_path, code=1).stderr
    catalog.write_bytes(b"x" * 5000)
    assert "not a catalogue" in run("--library", indexed, "serve", cwd=tmp_path, code=1).stderr
    missing = run("--library", tmp_path / "nowhere", "serve", cwd=tmp_path, code=1).stderr
    assert "no such library" in missing


def _set_version(catalog: Path) -> None:
    with sqlite3.connect(catalog) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()


def test_a_missing_extra(indexed: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; from twobranch.commands.main import main; "
        f"sys.argv = ['twobranch', '--library', {str(indexed)!r}, 'serve']; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 1
    assert "`serve` needs uvicorn" in result.stderr and "[serve]" in result.stderr
