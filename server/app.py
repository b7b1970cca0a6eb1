"""The web application: routes, error handlers, the page's files and the middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from twobranch import __version__
from twobranch.indexer.catalog.reader import LibraryModel
from twobranch.retrieval.encoders import load_encoder
from twobranch.server.api import (
    added_photos,
    albums,
    captions,
    download,
    evaluations,
    explorer,
    facets,
    folders,
    health,
    indexing,
    map,
    marks,
    metrics,
    photos,
    pictures,
    search,
    searches,
    status,
    suggest,
    timeline,
    where,
)
from twobranch.server.api.metrics import RequestMetrics, RequestStats
from twobranch.server.api.page_files import Page, PageFiles
from twobranch.server.errors import INVALID, add_error_handlers
from twobranch.server.http import login
from twobranch.server.http.auth import TokenAuth
from twobranch.server.http.compression import Compression
from twobranch.server.http.guard import Guard
from twobranch.server.http.headers import Headers
from twobranch.server.http.hosts import Hosts
from twobranch.server.http.limits import RequestLimits
from twobranch.server.http.media_types import check_media_type
from twobranch.server.http.methods import http_error
from twobranch.server.http.shutdown import Shutdown
from twobranch.server.openapi import complete, operation_id
from twobranch.server.settings import Settings
from twobranch.server.state import State
from twobranch.server.work.index_child import library_encoder

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder
    from twobranch.indexer.update.run import AnyEncoder


# The modules of the API, in the order of its description.
_ROUTED = (
    search,
    pictures,
    timeline,
    photos,
    where,
    captions,
    marks,
    albums,
    searches,
    download,
    facets,
    suggest,
    status,
    evaluations,
    explorer,
    indexing,
    added_photos,
    folders,
    map,
    login,
    health,
    metrics,
)


class Application(FastAPI):
    """FastAPI inside the server's middleware.

    Middleware that is added to FastAPI runs inside its handler of crashes, and the answers of that handler
    would lack our headers. So the stack is built around it here.
    """

    def build_middleware_stack(self) -> ASGIApp:
        settings: Settings = self.state.shared.settings
        guarded = Guard(super().build_middleware_stack(), Hosts(settings), self.state.auth)
        limited = RequestLimits(guarded, settings.max_upload)
        return Headers(Shutdown(RequestMetrics(Compression(limited), self.state.stats)))

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi(), self.state.auth)
        return self.openapi_schema


def create_app(
    settings: Settings,
    load: Callable[[LibraryModel], Encoder] = load_encoder,
    index_with: Callable[[Path], AnyEncoder] = library_encoder,
) -> FastAPI:
    """Return the application with the page and the API of a library.

    The library must exist. ``load`` returns the encoder of a model. ``index_with`` returns the encoder for
    indexing a library; another process calls it by name, so it must be a module-level function. Raises
    ``LibraryError``.
    """
    state = State(settings, load, index_with)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        state.close()

    app = Application(
        title="twobranch",
        version=__version__,
        description="Search photos with words, and words with photos.",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's documentation pages load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,  # behind a proxy the redirect would have the wrong address
        generate_unique_id_function=operation_id,
    )
    app.state.shared = state
    app.state.auth = None if settings.token is None else TokenAuth(settings.token)
    app.state.stats = RequestStats()
    app.state.page = Page()
    add_error_handlers(app)
    app.add_exception_handler(HTTPException, http_error)
    for module in _ROUTED:
        app.include_router(module.router, responses=INVALID, dependencies=[Depends(check_media_type)])
    app.router.routes.append(PageFiles(app.state.page))
    return app
