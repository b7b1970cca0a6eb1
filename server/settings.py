"""What a server was started with."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

PORT = 8008


@dataclass(frozen=True)
class Settings:
    """Where the server listens, what it shows, and to whom."""

    library: Path
    host: str = "127.0.0.1"
    port: int = PORT
    token: str | None = None  # what a visitor must know; None: whoever reaches the address may look
    allowed_hosts: tuple[str, ...] = ()  # names beside `host` that it may be asked for, as behind a proxy
    folders: tuple[Path, ...] = ()  # what may be indexed from the page beside what the library knows
    max_upload: int = 50_000_000  # bytes of a picture that is handed in
    threads: int = 2  # that search side by side

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise ValueError(f"{self.host} can be reached by other machines: it needs a token")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
