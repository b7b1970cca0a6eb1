"""Waiting for what must come: until it is there, or for so long that no busy machine explains it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from threading import Timer
from time import monotonic, sleep
from typing import IO, TypeVar

T = TypeVar("T")

# Seconds. Whatever takes longer hangs, also on two cores with fifteen programs at work; a test that passes
# never waits so long.
PATIENCE = 300.0
_PAUSE = 0.01  # seconds between two looks


def wait_for(look: Callable[[], T], what: str = "") -> T:
    """The first true answer of ``look``. ``AssertionError`` with ``what`` when none comes."""
    latest = monotonic() + PATIENCE
    while not (answer := look()):
        assert monotonic() < latest, f"still {answer!r} after {PATIENCE:g} s: {what}"
        sleep(_PAUSE)
    return answer


def next_line(process: subprocess.Popen[str], stream: IO[str] | None) -> str:
    """The next line that a process prints; one that prints none and does not end is killed: then ""."""
    assert stream is not None
    timer = Timer(PATIENCE, process.kill)
    timer.start()
    try:
        return stream.readline()
    finally:
        timer.cancel()


def receive_until(connection: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
    """What comes on a connection until it is ``enough``. ``AssertionError`` when the other side closes it
    before, ``TimeoutError`` when nothing more comes."""
    connection.settimeout(PATIENCE)
    data = b""
    while not enough(data):
        part = connection.recv(65_536)
        assert part, f"closed after {data[-200:]!r}"
        data += part
    return data
