"""Start a server, and stop it on Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
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
from twobranch.server.state import State
from twobranch.server.warm_up import warm_up

_ANSWERING_SECONDS = 2  # to finish running requests after the stop signal
_ENDING_SECONDS = 3.5  # to shut everything down after it; then even a search is cut off, as it only reads


def run(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Calls ``announce`` with the URL when the server is ready. Raises ``UserError`` if it cannot listen at the
    address, ``LibraryError`` for a damaged library.
    """
    listener = listen(settings.host, settings.port)
    url = url_of(settings.host, listener.getsockname()[1])
    Server(create_app(settings), lambda: announce(url)).run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn's server with a ready callback and a shutdown deadline."""

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
        self._on_started = started
        self._state: State = app.state.shared

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()
            self._warming = asyncio.create_task(warm_up(self._state))  # a task nobody keeps may vanish

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the shutdown.

        uvicorn would raise the signal again at the end. Here it does not: a signal is the normal way to stop
        a server.
        """
        if not self.should_exit:
            deadline = Timer(_ENDING_SECONDS, _exit_now)
            deadline.daemon = True
            deadline.start()
        self.should_exit = True


def _exit_now() -> None:
    """End the process without waiting for its threads.

    This cannot damage the catalogue at any moment.
    """
    sys.stdout.flush()
    os._exit(0)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at this address.

    Port 0 takes any free port. Raises ``UserError``.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        if os.name == "posix":  # on Windows it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except (OSError, UnicodeError) as error:  # UnicodeError: an invalid host name
        raise UserError(_why_not(host, port, error)) from None
    return listener


def _why_not(host: str, port: int, error: OSError | UnicodeError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"port {port} of {host} is taken, perhaps by another `serve`; choose another one with --port"
    if number == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; --host 0.0.0.0 listens at all its addresses"
    if number == errno.EACCES:
        return f"no permission to listen at port {port}; choose one from 1024 on with --port"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"{host}: no such address; give --host an address of this machine, or 0.0.0.0 for all"
    return f"{host}:{port}: cannot listen there ({error.strerror or error})"


def url_of(host: str, port: int) -> str:
    """Return the URL to open in a browser.

    For a server on all interfaces it has the host name, so that it also works on other machines.
    """
    name = socket.gethostname() if host in EVERYWHERE else host
    return f"http://{bracketed(name)}:{port}/"
