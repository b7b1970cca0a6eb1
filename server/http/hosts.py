"""Host names that the server answers to."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address

from twobranch.server.settings import Settings

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE)
EVERYWHERE = ("0.0.0.0", "::")  # all the interfaces of the machine


class Hosts:
    """The allowed values of the Host header.

    Requests for other names are refused: a foreign page could let its own name resolve to this machine (DNS
    rebinding), and would then have the same origin as the server.
    """

    def __init__(self, settings: Settings) -> None:
        self._anywhere = settings.host in EVERYWHERE
        own = [socket.gethostname()] if self._anywhere else [bracketed(settings.host)]
        names = ("127.0.0.1", "localhost", "[::1]", *own, *settings.allowed_hosts)
        self._names = {host_name(name) for name in names}

    def knows(self, host: str) -> bool:
        """Return True if this Host header names the server.

        A server that listens on all interfaces accepts any IP address: DNS rebinding needs a name.
        """
        name = host_name(host)
        return name is not None and (name in self._names or (self._anywhere and _is_address(name)))


def host_name(host: str) -> str | None:
    """Return the host of a Host header: lower case, without the port.

    None if the header is malformed.
    """
    match = _HOST.fullmatch(host)
    return match and match[1].lower().rstrip(".")


def bracketed(host: str) -> str:
    """Return a name or address for a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
