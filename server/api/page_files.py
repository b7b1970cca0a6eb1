"""The page's files, wherever no route of the program is."""

from __future__ import annotations

from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.routing import Match, Mount
from starlette.types import Scope

PAGE = Path(__file__).parent.parent / "page"
_ROUTES = frozenset({"/healthz", "/metrics", "/login", "/logout"})


class PageFiles(Mount):
    """``server/page`` at ``/``. What belongs to the API is none of it, so that a wrong address or method
    there is answered as such."""

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
