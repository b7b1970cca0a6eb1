"""Searches of people who type on."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from tests.fakes import FakeEncoder
from tests.server.serving import receive, request, serving
from tests.waiting import PATIENCE, wait_for
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


def test_a_search_that_nobody_waits_for_is_not_begun(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_library(library, [photos], encoder)
    begun, go_on, asked = Event(), Event(), []

    def slow(texts: list[str], language: str | None = None) -> np.ndarray[Any, Any]:
        asked.extend(texts)
        begun.set()
        assert go_on.wait(PATIENCE)
        return FakeEncoder.encode_texts(encoder, texts)

    monkeypatch.setattr(encoder, "encode_texts", slow)
    app = create_app(Settings(library, threads=1), load=lambda model: encoder)
    with serving(app) as port:
        first, left = (socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(2))
        with first, left:
            first.sendall(request("GET", "/api/search?q=red"))
            assert begun.wait(PATIENCE)
            left.sendall(request("GET", "/api/search?q=green"))
            waiting = app.state.shared.engines._threads._work_queue
            wait_for(lambda: waiting.qsize() == 1)
            left.close()
            counts = app.state.stats.requests
            wait_for(lambda: any(status == 499 for (_, _, status) in counts))
            go_on.set()
            assert receive(first).status == 200
    assert asked == ["red"]
