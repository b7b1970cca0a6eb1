"""``/metrics``: counters and gauges in the text format of Prometheus.

Written by hand: a counter, a histogram and a few gauges need no package.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.server.state import State, state_of

router = APIRouter(tags=["operation"])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class RequestStats:
    """Request counts by method, route and status, and durations by route."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.seconds: dict[str, _Histogram] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests[method if method in _METHODS else "other", route, status] += 1
        self.seconds.setdefault(route, _Histogram()).add(seconds)

    def lines(self) -> list[str]:
        """Return the lines of Prometheus's text format."""
        name = "twobranch_requests_total"
        lines = _head(name, "Requests; status 0: never answered.", "counter")
        for (method, route, status), n in sorted(self.requests.items()):
            lines.append(f'{name}{{method="{method}",route="{route}",status="{status}"}} {n}')
        name = "twobranch_request_seconds"
        lines += _head(name, "Seconds from the head of a request to the end of its answer.", "histogram")
        for route, histogram in sorted(self.seconds.items()):
            n = 0
            for bound, n_within in zip((*_BOUNDS, "+Inf"), histogram.n_within, strict=True):
                n += n_within
                lines.append(f'{name}_bucket{{route="{route}",le="{bound}"}} {n}')
            lines.append(f'{name}_sum{{route="{route}"}} {histogram.total:.6f}')
            lines.append(f'{name}_count{{route="{route}"}} {n}')
        return lines


class _Histogram:
    def __init__(self) -> None:
        self.n_within = [0] * (len(_BOUNDS) + 1)  # the last: longer than every bound
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.n_within[bisect_left(_BOUNDS, seconds)] += 1
        self.total += seconds


class RequestMetrics:
    """ASGI middleware that counts requests and measures their duration."""

    def __init__(self, app: ASGIApp, stats: RequestStats) -> None:
        self._app = app
        self._stats = stats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 0  # 0: never answered

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            self._stats.add(scope["method"], _route(scope), status, perf_counter() - started)


def _route(scope: Scope) -> str:
    """Return the template of the route that answered.

    Not the path: names of photos must not become labels.
    """
    path = getattr(scope.get("route"), "path", None)
    return (path or "/") if isinstance(path, str) else "none"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, state: Annotated[State, Depends(state_of)]) -> Response:
    """Counters, latencies and gauges for Prometheus."""

    def n_photos(reader: CatalogReader) -> int:
        model = reader.active_model()
        return 0 if model is None else reader.count_vectors("images", model.id)

    stats = request.app.state.stats
    assert isinstance(stats, RequestStats)
    gauges = {
        "twobranch_photos": ("Photos that can be found.", await state.readers.run(n_photos)),
        "twobranch_indexing": ("1 while this server is indexing.", int(state.indexing.as_json()["running"])),
    }
    memory = _resident_bytes()
    if memory is not None:
        gauges["process_resident_memory_bytes"] = ("Memory of the process.", memory)
    searches = sum(
        n for (_, route, status), n in stats.requests.items() if route == "/api/search" and status == 200
    )
    totals = {
        "twobranch_searches_total": ("Searches that were answered.", searches),
        "twobranch_remembered_answers_total": ("Searches answered from the cache.", state.answers.n_given),
    }
    lines = stats.lines()
    for kind, values in (("counter", totals), ("gauge", gauges)):
        for name, (text, value) in values.items():
            lines += [*_head(name, text, kind), f"{name} {value}"]
    return Response("\n".join([*lines, ""]), media_type="text/plain; version=0.0.4")


def _head(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _resident_bytes() -> int | None:
    """Return the resident memory of this process in bytes.

    None on systems without /proc, which Linux has.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
