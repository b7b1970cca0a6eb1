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
from server import captions, evaluations, exploring, facets, handedin, indexing, photos, searching, status
from server.errors import add_error_handlers
from server.indexchild import library_encoder
from server.settings import Settings
from server.state import State

if TYPE_CHECKING:
    from embedding.encoder import Encoder
    from indexer.run import AnyEncoder

PAGE = Path(__file__).parent / "page"


def create_app(
    settings: Settings,
    load: Callable[[LibraryModel], Encoder] = load_encoder,
    index_with: Callable[[Path], AnyEncoder] = library_encoder,
) -> FastAPI:
    """The page and the API over a library, which must exist. ``load`` gives the encoder of a model.

    ``index_with`` gives the one to index a library with; it is called by name in another process, so it must
    be a function of a module. Raises ``LibraryError``.
    """
    state = State(settings, load, index_with)

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
    routes = (searching, handedin, facets, photos, captions, status, evaluations, exploring, indexing)
    for module in routes:
        app.include_router(module.router)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    return app
