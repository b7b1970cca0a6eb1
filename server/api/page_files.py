"""The static files of the page."""

from __future__ import annotations

from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.routing import Match, Mount
from starlette.types import Scope

PAGE = Path(__file__).parent.parent / "page"
_ROUTES = frozenset({"/healthz", "/metrics", "/login", "/logout"})


class PageFiles(Mount):
    """The folder ``server/page`` at ``/``.

    It does not match addresses of the API, so that a wrong address or method there gets its own error.
    """

    def __init__(self) -> None:
        super().__init__("/", StaticFiles(directory=PAGE, html=True), name="page")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"]
        if path in _ROUTES or path == "/api" or path.startswith("/api/"):
            return Match.NONE, {}
        if scope["method"] not in ("GET", "HEAD"):
            return Match.PARTIAL, {}
        match, child = super().matches(scope)
        return match, {**child, "route": self}  # as FastAPI's routes do
