"""A real server in a thread, and raw bytes to and from it."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from select import select
from threading import Event, Thread
from typing import Any

from fastapi import FastAPI

from tests.waiting import PATIENCE
from twobranch.server.run import Server, listen


@dataclass(frozen=True)
class Reply:
    """What came back. ``status`` 0: the connection was closed without an answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json", (
            self.headers["content-type"],
            self.body[:200],
        )
        return json.loads(self.body)


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """The port of a server over ``app`` for as long as the block lasts."""
    listener = listen("127.0.0.1", 0)
    started = Event()
    server = Server(app, started.set)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert started.wait(PATIENCE)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server does not end"


def send(port: int, data: bytes, *, end: bool = False) -> Reply:
    """The answer to these bytes on a connection of their own; with ``end`` nothing more comes if there is
    none for a while, as the server may wait for more."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        try:
            connection.sendall(data)
            if end and not select([connection], [], [], 0.1)[0]:
                connection.shutdown(socket.SHUT_WR)
        except OSError:  # the server has answered and closed before all was sent
            pass
        return receive(connection, data.split(b" ", 1)[0].decode("latin-1"))


def receive(connection: socket.socket, method: str = "GET") -> Reply:
    """The next answer on a connection. ``TimeoutError`` if none comes: a hang."""
    reply = http.client.HTTPResponse(connection, method=method)
    try:
        reply.begin()
        return Reply(reply.status, reply.headers, reply.read())
    except (http.client.BadStatusLine, http.client.IncompleteRead, ConnectionError):
        return Reply(0, http.client.HTTPMessage(), b"")


def request(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *length, *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def form(data: bytes, name: str = "file", file: str = "a.png") -> tuple[str, bytes]:
    """A form with one file: its header, and its body."""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
    return "Content-Type: multipart/form-data; boundary=b", head.encode(
        "latin-1", "replace"
    ) + data + b"\r\n--b--\r\n"
