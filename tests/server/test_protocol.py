"""Clients that draw things out, and requests that are too long."""

from __future__ import annotations

import json
import logging
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from fastapi import FastAPI, Response
from PIL import Image

from tests.fakes import FakeEncoder
from tests.indexing import images
from tests.server.serving import form, receive, request, send, serving
from tests.waiting import PATIENCE, receive_until, wait_for
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.http import protocol
from twobranch.server.http.headers import HEADERS
from twobranch.server.settings import Settings


@pytest.fixture
def port(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[int]:
    with serving(application(library, photos, encoder)) as port:
        yield port


def application(library: Path, photos: Path, encoder: FakeEncoder) -> FastAPI:
    """A server's, with an answer of 20 MB at ``/api/large``."""
    update_library(library, [photos], encoder)
    app = create_app(Settings(library), load=lambda model: encoder)

    @app.get("/api/large")
    async def large() -> Response:
        return Response(bytes(20_000_000), media_type="application/octet-stream")

    return app


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def test_long_heads(port: int) -> None:
    cases = [
        (request("GET", "/api/search?q=" + "a" * 40_000), 414),
        (request("GET", "/", "a: " + "b" * 70_000), 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70_000, 431),  # and no end to it
        (request("GET", "/", *(f"a{n}: b" for n in range(200))), 431),
        (b"nonsense\r\n\r\n", 400),
    ]
    for data, status in cases:
        reply = send(port, data)
        assert (reply.status, list(reply.json())) == (status, ["error"])
        for name, value in HEADERS.items():
            assert reply.headers[name.decode()] == value.decode()


def test_a_query_of_2000_letters_fits_in_any_script(port: int) -> None:
    for letter in ("a", "%F0%9F%90%B6"):  # a dog
        reply = send(port, request("GET", "/api/search?q=" + letter * 2000))
        assert (reply.status, json.loads(reply.body)["hits"]) == (200, [])  # no such words


def test_a_head_that_never_ends(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.3)
    for before in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
        with connect(port) as connection:
            connection.sendall(before)
            started = monotonic()
            assert _ends(connection)
            assert monotonic() - started < 12  # uvicorn's own limit is 15
    with connect(port) as connection:  # nor after an answer, however busily
        connection.sendall(request("GET", "/healthz"))
        assert receive(connection).status == 200
        connection.sendall(b"GET / HTTP/1.1\r\na: ")
        with pytest.raises(ConnectionError):
            wait_for(lambda: connection.sendall(b"b"), "the server goes on listening")


def _ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_an_answer_that_nobody_reads(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_STALLED_SECONDS", 0.3)
    given_up, abort = Event(), protocol.Protocol._abort

    def aborted(self: protocol.Protocol) -> None:
        abort(self)
        given_up.set()

    monkeypatch.setattr(protocol.Protocol, "_abort", aborted)
    with connect(port) as connection:
        connection.sendall(request("GET", "/api/large"))
        assert given_up.wait(PATIENCE)
        received = 0
        try:
            while part := connection.recv(1_000_000):
                received += len(part)
        except ConnectionResetError:
            pass
        assert received < 20_000_000


_ORIGINAL = request("GET", "/api/photos/1/original")
_UPLOAD = request("POST", "/api/search", form(b"")[0], "Content-Length: 1000000")
_CLIENTS = {
    "one original": _ORIGINAL,
    "three originals": _ORIGINAL * 3,
    "an original and what is no HTTP": _ORIGINAL + b"nonsense\r\n\r\n",
    "three large ones": request("GET", "/api/large") * 3,
    "a search and an original": request("GET", "/api/search?q=red") + _ORIGINAL,
    "searches": request("GET", "/api/search?q=red") * 3,
    "an original and a picture that breaks off": _ORIGINAL + _UPLOAD + form(bytes(100_000))[1],
    "a picture that breaks off": _UPLOAD + form(bytes(100_000))[1],
}


@pytest.mark.parametrize("asked", _CLIENTS.values(), ids=_CLIENTS.keys())
def test_a_client_that_leaves_is_no_traceback_in_the_log(
    library: Path,
    photos: Path,
    encoder: FakeEncoder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    asked: bytes,
) -> None:
    """A reset, at once or after the first bytes have come; the server has ended when the log is looked at."""
    Image.effect_noise((1500, 2000), 50).save(photos / "blue.png")  # 3 MB, more than a socket holds
    app = application(library, photos, encoder)
    assert images(library)["photos/blue.png"].id == 1
    with serving(app) as port:
        for name in ("uvicorn", "twobranch"):  # whose records go nowhere else
            monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        for has_begun in (True, True, True, False):
            with connect(port) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(asked)
                if has_begun and not asked.startswith(_UPLOAD[:4]):
                    connection.recv(1000)
        assert send(port, request("GET", "/healthz")).status == 200
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_too_many_connections(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_CONNECTIONS", 3)
    open_ = [connect(port) for _ in range(3)]
    for connection in open_:  # the server knows them
        connection.sendall(request("GET", "/healthz"))
        assert receive(connection).status == 200
    with connect(port) as connection:
        assert receive(connection).status == 503
    for connection in open_:
        connection.close()
    wait_for(
        lambda: send(port, request("GET", "/healthz")).status == 200,
        "the connections that were closed still count",
    )


def test_requests_one_behind_the_other(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(request("GET", "/healthz") * 3)
        receive_until(connection, lambda data: data.count(b'{"ok": true}') == 3)


def test_an_upgrade_is_answered_without(port: int) -> None:
    reply = send(port, request("GET", "/healthz", "Connection: Upgrade", "Upgrade: websocket"))
    assert reply.status == 200
