"""What a server that stalls costs is counted from when each request was due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from benchmarks import loadclient
from benchmarks.loadclient import Answers, Load

ANSWER = b"HTTP/1.1 %d X\r\nserver: test\r\nContent-Length: 2\r\n\r\nok"


def asked(load: Callable[[int], Load], seconds: float = 0.0) -> tuple[Answers, list[str]]:
    """What comes back from a server that takes so long for each answer, and what it was asked for."""
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            target = head.split(b" ")[1].decode()
            seen.append(target)
            await asyncio.sleep(seconds)
            if target == "/hang-up":
                break
            writer.write(ANSWER % (404 if target == "/missing" else 200))
        writer.close()

    async def ask() -> Answers:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            return await loadclient._ask(load(server.sockets[0].getsockname()[1]))

    return asyncio.run(ask()), seen


def test_each_target_once_or_again_and_again() -> None:
    answers, seen = asked(lambda port: Load(port, ["/a", "/b"], connections=1))
    assert (seen, len(answers.milliseconds), answers.errors) == (["/a", "/b"], 2, 0)
    _, seen = asked(lambda port: Load(port, ["/a", "/b"], connections=1, most=5))
    assert seen == ["/a", "/b", "/a", "/b", "/a"]


def test_no_request_after_the_time_is_over() -> None:
    _, seen = asked(lambda port: Load(port, ["/a"], most=1000, seconds=0.1), seconds=0.05)
    assert 1 <= len(seen) <= 4  # at 0, 0.05 and 0.1 s


def test_what_is_not_answered_well_is_an_error_and_has_no_time() -> None:
    answers, _ = asked(lambda port: Load(port, ["/a", "/missing", "/b"], connections=1))
    assert (len(answers.milliseconds), answers.errors) == (2, 1)
    answers, _ = asked(lambda port: Load(port, ["/hang-up", "/a"], connections=2))
    assert (len(answers.milliseconds), answers.errors) == (1, 1)


def test_times_count_from_when_a_request_was_due() -> None:
    """Ten requests on one connection, due 10 ms apart, take 50 ms each: the last, due after 90 ms, is
    answered after 500."""
    answers, _ = asked(lambda port: Load(port, ["/a"], most=10, per_second=100), seconds=0.05)
    assert answers.milliseconds == sorted(answers.milliseconds)
    assert answers.milliseconds[-1] >= 400
    assert answers.percentile(100) == answers.milliseconds[-1]
