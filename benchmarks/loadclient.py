"""Requests to a server on this machine, from a process of their own, and how long each answer took.

HTTP/1.1 over sockets that stay open, with as little work for the client as possible: it takes cores from the
server. With ``per_second`` requests are due at fixed moments, however long the ones before take, and times
count from when they were due: a server that stalls does not escape by being asked less (Tene, *How NOT to
measure latency*, 2013). Without it each connection asks as soon as it is answered.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice

import numpy as np


@dataclass(frozen=True)
class Load:
    """Requests to send one after the other, until a limit is reached."""

    port: int
    targets: Sequence[str]  # path and query
    connections: int = 1
    seconds: float = 10.0
    most: int | None = None  # requests; None: each target once
    per_second: float | None = None


@dataclass
class Answers:
    """The answers."""

    milliseconds: list[float] = field(default_factory=list)  # of each that was answered with 200
    errors: int = 0
    seconds: float = 0.0  # from the first request to the last answer
    client_seconds: float = 0.0  # of processor time that the client took

    @property
    def per_second(self) -> float:
        """Requests that were answered in a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds that this share of the answers, in percent, took at most."""
        return float(np.percentile(self.milliseconds, share)) if self.milliseconds else float("nan")

    @property
    def client_ms(self) -> float:
        """Processor time of the client for a request."""
        return 1000 * self.client_seconds / max(1, len(self.milliseconds) + self.errors)


def run(load: Load) -> Answers:
    """The answers, once all have come."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_in_this_process, load).result()


def _in_this_process(load: Load) -> Answers:
    return asyncio.run(_ask(load))


async def _ask(load: Load) -> Answers:
    answers = Answers()
    targets = islice(cycle(load.targets), load.most or len(load.targets))
    requests = [f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for target in targets]
    numbered = iter(enumerate(requests))
    opened = [await asyncio.open_connection("127.0.0.1", load.port) for _ in range(load.connections)]
    used, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(_connection(load, numbered, started, answers, *one) for one in opened))
    answers.seconds = time.perf_counter() - started
    answers.client_seconds = time.process_time() - used
    for _, writer in opened:
        writer.close()
    return answers


async def _connection(
    load: Load,
    requests: Iterator[tuple[int, bytes]],
    started: float,
    answers: Answers,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """One connection, which takes the next request whenever it is free."""
    for number, request in requests:
        due = time.perf_counter()
        if load.per_second is not None:
            due = started + number / load.per_second
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
        if due - started > load.seconds:
            return
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
        except (OSError, asyncio.IncompleteReadError):
            answers.errors += 1
            return
        if head.startswith(b"HTTP/1.1 200 "):
            answers.milliseconds.append(1000 * (time.perf_counter() - due))
        else:
            answers.errors += 1


def _length(head: bytes) -> int:
    """Return the number of bytes that follow these headers."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
