"""Clients that draw things out, and requests that are too long."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from fastapi import Response

from indexer.build import update_library
from server import protocol
from server.app import create_app
from server.headers import HEADERS
from server.settings import Settings
from tests.fakes import FakeEncoder
from tests.server.serving import receive, request, send, serving


@pytest.fixture
def port(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[int]:
    update_library(library, [photos], encoder)
    app = create_app(Settings(library), load=lambda model: encoder)

    @app.get("/api/large")
    async def large() -> Response:
        return Response(bytes(20_000_000), media_type="application/octet-stream")

    with serving(app) as port:
        yield port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


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
        assert send(port, request("GET", "/api/search?q=" + letter * 2000)).status == 400  # no such words


def test_a_head_that_never_ends(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.3)
    for before in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
        with connect(port) as connection:
            connection.sendall(before)
            started = monotonic()
            assert _ends(connection)
            assert monotonic() - started < 5
    with connect(port) as connection:  # nor after an answer, however busily
        connection.sendall(request("GET", "/healthz"))
        assert receive(connection).status == 200
        with pytest.raises(OSError):
            for _ in range(100):
                connection.sendall(b"G" if _ == 0 else b"E")
                sleep(0.05)


def _ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_an_answer_that_nobody_reads(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_STALLED_SECONDS", 0.3)
    with connect(port) as connection:
        connection.sendall(request("GET", "/api/large"))
        sleep(1.5)
        received = 0
        try:
            while part := connection.recv(1_000_000):
                received += len(part)
        except ConnectionResetError:
            pass
        assert received < 20_000_000


def test_a_client_that_goes_away_in_the_middle_of_an_answer(port: int) -> None:
    with connect(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        connection.sendall(request("GET", "/api/large"))
        connection.recv(1000)
    assert send(port, request("GET", "/healthz")).status == 200


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
    for _ in range(100):
        if send(port, request("GET", "/healthz")).status == 200:
            break
        sleep(0.05)
    else:
        pytest.fail("the connections that were closed still count")


def test_requests_one_behind_the_other(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(request("GET", "/healthz") * 3)
        data = b""
        while data.count(b'{"ok": true}') < 3:
            data += connection.recv(10_000)


def test_an_upgrade_is_answered_without(port: int) -> None:
    reply = send(port, request("GET", "/healthz", "Connection: Upgrade", "Upgrade: websocket"))
    assert reply.status == 200
