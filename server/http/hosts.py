"""Names that a server may be asked for."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address

from twobranch.server.settings import Settings

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE)
EVERYWHERE = ("0.0.0.0", "::")  # all the interfaces of the machine


class Hosts:
    """The names under which a server is known. To any other it does not answer: a page of another site can
    let its own name point to this machine (DNS rebinding), and would then be of the same origin."""

    def __init__(self, settings: Settings) -> None:
        self._anywhere = settings.host in EVERYWHERE
        own = [socket.gethostname()] if self._anywhere else [bracketed(settings.host)]
        names = ("127.0.0.1", "localhost", "[::1]", *own, *settings.allowed_hosts)
        self._names = {host_name(name) for name in names}

    def knows(self, host: str) -> bool:
        """Whether this Host header names the server. Where it listens everywhere, any address is one of its
        own: names can be made to point here, addresses cannot."""
        name = host_name(host)
        return name is not None and (name in self._names or (self._anywhere and _is_address(name)))


def host_name(host: str) -> str | None:
    """A name or address without its port, in small letters, as a Host header has it; None if it is none."""
    match = _HOST.fullmatch(host)
    return match and match[1].lower().rstrip(".")


def bracketed(host: str) -> str:
    """A name or address as a URL has it."""
    return f"[{host}]" if ":" in host else host


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
