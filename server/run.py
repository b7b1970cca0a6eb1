"""Listening: from settings to a server that answers, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from threading import Timer
from types import FrameType

import uvicorn
from fastapi import FastAPI

from twobranch.common.errors import UserError
from twobranch.server.app import create_app
from twobranch.server.http.hosts import EVERYWHERE, bracketed
from twobranch.server.http.protocol import Protocol
from twobranch.server.logs import CONFIG
from twobranch.server.settings import Settings

_ANSWERING_SECONDS = 2  # that answers which are under way may still take at the end, and
_ENDING_SECONDS = 3.5  # that everything may take then, a search included: it only reads


def run(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; ``announce`` is told the address as soon as it answers.

    Raises ``UserError`` for an address that cannot be had, ``LibraryError`` for a damaged library.
    """
    listener = listen(settings.host, settings.port)
    url = url_of(settings.host, listener.getsockname()[1])
    Server(create_app(settings), lambda: announce(url)).run(sockets=[listener])


class Server(uvicorn.Server):
    """Tells when it has begun to answer, and ends when it is told to."""

    def __init__(self, app: FastAPI, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="on",
            log_config=CONFIG,
            access_log=False,
            server_header=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_ANSWERING_SECONDS,
        )
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn does, but the signal is not raised again at the end: this is how to end a server."""
        if not self.should_exit:
            deadline = Timer(_ENDING_SECONDS, _leave)
            deadline.daemon = True
            deadline.start()
        self.should_exit = True


def _leave() -> None:
    """Ends the process without waiting for its threads; the catalogue is safe from that at any moment."""
    sys.stdout.flush()
    os._exit(0)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at this address; port 0 is any that is free. Raises ``UserError``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        if os.name == "posix":  # on Windows it would let two servers have the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be one
        raise UserError(_why_not(host, port, error)) from None
    return listener


def _why_not(host: str, port: int, error: OSError | UnicodeError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"port {port} of {host} is taken, perhaps by another `serve`; choose one with --port"
    if number == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; --host 0.0.0.0 listens at all that it has"
    if number == errno.EACCES:
        return f"port {port} is not yours to listen at; choose one from 1024 on with --port"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"{host}: no such address; give --host an address of this machine, as 0.0.0.0 for all"
    return f"{host}:{port}: cannot listen there ({error.strerror or error})"


def url_of(host: str, port: int) -> str:
    """What to type into a browser on this machine, or, for an address of all interfaces, on another."""
    name = socket.gethostname() if host in EVERYWHERE else host
    return f"http://{bracketed(name)}:{port}/"
