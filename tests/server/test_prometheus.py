"""/healthz and /metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder
from twobranch.indexer.update.library import update_library
from twobranch.server.api.metrics import RequestStats
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def values(client: TestClient) -> dict[str, float]:
    """Sample to value; every line is as the format has it."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for line in response.text.splitlines():
        if not line.startswith(("# HELP ", "# TYPE ")):
            match = re.fullmatch(
                r'([a-z_]+(?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})?) ([0-9.e+-]+)', line
            )
            assert match, line
            found[match[1]] = float(match[2])
    return found


def test_requests_are_counted_by_route(client: TestClient, photos: Path) -> None:
    for _ in range(3):
        client.get("/api/search", params={"q": "red"})
    client.get("/api/search", params={"top": 0})
    client.get("/base.css")
    client.get("/api/photos/1")
    client.get("/api/photos/12345")
    client.request("BREW", "/api/a-secret-name")
    found = values(client)
    name = "twobranch_requests_total"
    assert found[f'{name}{{method="GET",route="/api/search",status="200"}}'] == 3
    assert found[f'{name}{{method="GET",route="/api/search",status="422"}}'] == 1
    assert found[f'{name}{{method="GET",route="/api/photos/{{photo}}",status="200"}}'] == 1
    assert found[f'{name}{{method="GET",route="/api/photos/{{photo}}",status="404"}}'] == 1
    assert found[f'{name}{{method="GET",route="/",status="200"}}'] == 1  # the page and its files
    assert found[f'{name}{{method="other",route="none",status="404"}}'] == 1
    assert not any("secret" in sample or "12345" in sample for sample in found)
    assert found["twobranch_searches_total"] == 3
    assert found["twobranch_remembered_answers_total"] == 2
    assert found["twobranch_photos"] == 3
    assert found["twobranch_indexing"] == 0
    assert found["process_resident_memory_bytes"] > 10_000_000


def test_latencies_are_cumulative() -> None:
    counts = RequestStats()
    for seconds in (0.004, 0.005, 0.2, 60.0):
        counts.add("GET", "/a", 200, seconds)
    lines = dict(line.rsplit(" ", 1) for line in counts.lines() if "_seconds_" in line)
    name = "twobranch_request_seconds"
    assert [
        lines[f'{name}_bucket{{route="/a",le="{le}"}}'] for le in ("0.005", "0.1", "0.25", "10.0", "+Inf")
    ] == [*("2", "2", "3", "3", "4")]
    assert lines[f'{name}_sum{{route="/a"}}'] == "60.209000"
    assert lines[f'{name}_count{{route="/a"}}'] == "4"


def test_health_is_that_of_the_catalogue(client: TestClient, library: Path) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    catalog = library / "catalog.sqlite"
    catalog.rename(library / "elsewhere")  # the server still has it open, but nobody else
    response = client.get("/healthz")
    assert response.status_code == 503
    assert str(library) not in response.text
    (library / "elsewhere").rename(catalog)
    assert client.get("/healthz").status_code == 200
