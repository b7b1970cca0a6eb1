"""What a server keeps: answers while they hold, pictures while there is room, one tool a thread."""

from __future__ import annotations

import asyncio
import io
from threading import get_ident

import numpy as np
from PIL import Image

from tests.fakes import FakeEncoder
from twobranch.server.work import uploaded_pictures as pictures_module
from twobranch.server.work.response_cache import ResponseCache
from twobranch.server.work.uploaded_pictures import Pictures
from twobranch.server.work.workers import Workers


def test_answers_hold_for_one_version_of_the_catalogue() -> None:
    answers = ResponseCache()
    assert answers.get("q=a", 1) is None
    answers.keep("q=a", 1, b"{}")
    assert answers.get("q=a", 1) == b"{}"
    assert answers.get("q=a", 2) is None
    answers.keep("q=a", 1, b"{}")  # it was sought before the catalogue changed
    assert answers.get("q=a", 2) is None


def test_the_answers_that_were_given_last_are_kept() -> None:
    answers = ResponseCache(most=2)
    for asked in ("a", "b", "a", "c"):
        if answers.get(asked, 1) is None:
            answers.keep(asked, 1, asked.encode())
    assert [answers.get(asked, 1) for asked in ("a", "b", "c")] == [b"a", None, b"c"]


def test_pictures_by_their_bytes(monkeypatch) -> None:
    monkeypatch.setattr(pictures_module, "_MOST", 2)
    pictures, encoder, names = Pictures(), FakeEncoder(), []
    for color in ("red", "blue", "red", (0, 255, 0)):
        file = io.BytesIO()
        Image.new("RGB", (600, 300), color).save(file, "PNG")
        names.append(pictures.take(file.getvalue(), encoder).name)
    assert names[0] == names[2]
    assert pictures.get(names[1]) is None  # the oldest of three
    red = pictures.get(names[0])
    assert red is not None
    # A red picture is (1, 0, 0, 0.01) over its length 1.00005.
    assert np.allclose(np.frombuffer(red.vector, np.float32), np.array([1, 0, 0, 0.01]) / np.sqrt(1.0001))
    assert Image.open(io.BytesIO(red.thumbnail)).size == (256, 128)


class Tool:
    """Belongs to the thread that opened it."""

    def __init__(self) -> None:
        self.thread = get_ident()
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_each_thread_opens_a_tool_of_its_own_and_all_are_closed() -> None:
    opened: list[Tool] = []

    def open_tool() -> Tool:
        opened.append(Tool())
        return opened[-1]

    async def ask(workers: Workers[Tool]) -> None:
        used = await asyncio.gather(
            *(workers.run(lambda tool: tool.thread == get_ident()) for _ in range(20))
        )
        assert used == [True] * 20

    workers = Workers(3, open_tool, "test")
    asyncio.run(ask(workers))
    workers.close()
    assert 1 <= len(opened) <= 3
    assert all(tool.closed for tool in opened)
