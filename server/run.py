"""Listening: from settings to a server that answers, until Ctrl-C."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import uvicorn

from embedding.errors import UserError
from server.app import create_app
from server.settings import Settings


def run(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; ``announce`` is told the address as soon as it answers.

    Raises ``UserError`` for an address that cannot be had, ``LibraryError`` for a damaged library.
    """
    listener = listen(settings.host, settings.port)
    app = create_app(settings)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=5
    )
    server = _Server(config, lambda: announce(url_of(settings.host, listener.getsockname()[1])))
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells when it has begun to answer."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()


def listen(host: str, port: int) -> socket.socket:
    """A socket at this address; port 0 is any that is free. Raises ``UserError``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)  # as uvicorn would: from here on who comes early waits, and is not refused
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"port {port} of {host} is taken, perhaps by another `serve`; choose one with --port"
            ) from None
        raise UserError(f"{host}:{port}: cannot listen there ({error.strerror or error})") from None
    return listener


def url_of(host: str, port: int) -> str:
    """What to type into a browser on this machine, or, for an address of all interfaces, on another."""
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
