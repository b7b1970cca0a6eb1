"""The application: routes, errors, and the page's files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from embedding import __version__
from indexer.reader import LibraryModel
from retrieval.engine import load_encoder
from server import captions, evaluations, exploring, handedin, photos, searching, status
from server.errors import INVALID, add_error_handlers
from server.settings import Settings
from server.state import State

if TYPE_CHECKING:
    from embedding.encoder import Encoder

PAGE = Path(__file__).parent / "page"


def create_app(settings: Settings, load: Callable[[LibraryModel], Encoder] = load_encoder) -> FastAPI:
    """The page and the API over a library, which must exist. ``load`` gives the encoder of a model.

    Raises ``LibraryError``.
    """
    state = State(settings, load)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        state.close()

    app = FastAPI(
        title="twobranch",
        version=__version__,
        description="Search photos with words, and words with photos.",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's come from a CDN
        redoc_url=None,
    )
    app.state.shared = state
    add_error_handlers(app)
    for module in (searching, handedin, photos, captions, status, evaluations, exploring):
        app.include_router(module.router, responses=INVALID)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    return app
