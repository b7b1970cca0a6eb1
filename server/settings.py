"""The settings of a server."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

PORT = 8008


@dataclass(frozen=True)
class Settings:
    """Address, library, access rules and limits of a server.

    Raises ``ValueError`` for an address that other machines reach, without a token.
    """

    library: Path
    host: str = "127.0.0.1"
    port: int = PORT
    token: str | None = None  # the access token; None: no login, allowed on loopback addresses only
    allowed_hosts: tuple[str, ...] = ()  # further host names that it answers to, as behind a proxy
    folders: tuple[Path, ...] = ()  # what may be indexed from the page, besides the library's own folders
    choose_from: tuple[Path, ...] = ()  # visitors may choose folders below these; none: they may not
    adding: bool = False  # visitors may add photos to the library
    max_upload: int = 50_000_000  # bytes of an uploaded picture
    threads: int = 2  # that search in parallel

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise ValueError(f"{self.host} can be reached by other machines: it needs a token")


def is_loopback(host: str) -> bool:
    """Return True if only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
