"""Compressed answers of the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.http.compression import Compression, accepts_gzip
from twobranch.server.settings import Settings

TEXT = b'{"a": "' + b"x" * 5000 + b'"}'


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def through(answer: Response, accept: str = "gzip") -> TestClient:
    """A client of an application that always gives this answer."""
    client = TestClient(Compression(answer), "http://127.0.0.1")
    client.headers["accept-encoding"] = accept
    return client


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP, deflate, br", True),
        ("br, *", True),
        ("gzip;q=0.1", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000, br", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("", False),
    ],
)
def test_who_takes_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_a_search_is_compressed(client: TestClient) -> None:
    plain = client.get("/api/search", headers={"Accept-Encoding": "identity"})
    packed = client.get("/api/search")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.json() == plain.json()  # `took_ms` as well: it is the same answer
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert client.get("/api/captions").headers.get("content-encoding") is None  # too short to gain anything


def test_pictures_are_not(client: TestClient) -> None:
    photo = client.get("/api/search").json()["hits"][0]["photo"]
    for what in ("thumbnail", "original"):
        response = client.get(f"/api/photos/{photo}/{what}")
        assert response.status_code == 200
        assert "content-encoding" not in response.headers and "vary" not in response.headers


def test_the_tag_of_a_compressed_answer_is_weak() -> None:
    """Its bytes are not those that a strong tag would promise."""
    headers = {"ETag": '"abc"', "Vary": "Accept"}
    packed = through(Response(TEXT, headers=headers, media_type="application/json")).get("/")
    assert (packed.headers["etag"], packed.headers["vary"]) == ('W/"abc"', "Accept, Accept-Encoding")
    plain = through(Response(TEXT, headers=headers, media_type="application/json"), "identity").get("/")
    assert (plain.headers["etag"], plain.headers["vary"]) == ('"abc"', "Accept, Accept-Encoding")


@pytest.mark.parametrize(
    "answer",
    [
        Response(TEXT[:999], media_type="application/json"),
        Response(TEXT, media_type="image/webp"),
        Response(TEXT, media_type="application/zip"),
        Response(TEXT, 206, media_type="text/plain"),
        Response(TEXT, headers={"Content-Encoding": "br"}, media_type="text/plain"),
    ],
    ids=["short", "picture", "archive", "part", "compressed already"],
)
def test_what_is_sent_as_it_is(answer: Response) -> None:
    length = answer.headers["content-length"]
    with through(answer).stream("GET", "/") as response:
        assert response.headers["content-length"] == length
        assert response.headers.get("content-encoding") != "gzip"


def test_a_stream_is_sent_as_it_comes() -> None:
    async def lines() -> Any:
        for _ in range(3):
            yield TEXT

    response = through(StreamingResponse(lines(), media_type="application/json")).get("/")
    assert (response.content, "content-encoding" in response.headers) == (3 * TEXT, False)


def test_a_long_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is compressed in another thread than the one that takes requests."""
    in_threads: list[int] = []
    to_thread = asyncio.to_thread

    async def noted(work: Any, data: bytes, *given: Any, **named: Any) -> Any:
        in_threads.append(len(data))
        return await to_thread(work, data, *given, **named)

    monkeypatch.setattr(asyncio, "to_thread", noted)
    long = json.dumps(list(range(50_000))).encode()
    for data in (TEXT, long):
        assert through(Response(data, media_type="application/json")).get("/").content == data
    assert in_threads == [len(long)]


def test_an_empty_answer_stays_one(client: TestClient) -> None:
    assert client.options("/api/search").status_code == 204
    head = client.head("/api/search")
    assert (head.status_code, head.content, head.headers["content-encoding"]) == (200, b"", "gzip")
