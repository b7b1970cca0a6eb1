"""The application: routes, errors, the page's files, and what stands before them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from twobranch import __version__
from twobranch.indexer.catalog.reader import LibraryModel
from twobranch.retrieval.encoders import load_encoder
from twobranch.server.api import captions, evaluations, facets, health, indexing, metrics, photos, status
from twobranch.server.api import explorer as exploring
from twobranch.server.api import pictures as handedin
from twobranch.server.api import search as searching
from twobranch.server.api.metrics import Counts, Measured
from twobranch.server.api.page_files import PageFiles
from twobranch.server.errors import INVALID, add_error_handlers
from twobranch.server.http import login
from twobranch.server.http.auth import TokenAuth
from twobranch.server.http.guard import Guard
from twobranch.server.http.headers import Headers
from twobranch.server.http.hosts import Hosts
from twobranch.server.http.limits import RequestLimits
from twobranch.server.http.methods import http_error
from twobranch.server.http.shutdown import Shutdown
from twobranch.server.settings import Settings
from twobranch.server.state import State
from twobranch.server.work.index_child import library_encoder

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder
    from twobranch.indexer.update.run import AnyEncoder


class Application(FastAPI):
    """FastAPI behind the guard. Its own middleware would stand behind its handler of crashes, whose answers
    would then lack the headers."""

    def build_middleware_stack(self) -> ASGIApp:
        settings: Settings = self.state.shared.settings
        guarded = Guard(super().build_middleware_stack(), Hosts(settings), self.state.auth)
        return Headers(Shutdown(Measured(RequestLimits(guarded, settings.max_upload), self.state.counts)))


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

    app = Application(
        title="twobranch",
        version=__version__,
        description="Search photos with words, and words with photos.",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's come from a CDN
        redoc_url=None,
        redirect_slashes=False,  # to where, only a proxy in front would know
    )
    app.state.shared = state
    app.state.auth = None if settings.token is None else TokenAuth(settings.token)
    app.state.counts = Counts()
    add_error_handlers(app)
    app.add_exception_handler(HTTPException, http_error)
    for module in (
        searching,
        handedin,
        photos,
        captions,
        facets,
        status,
        evaluations,
        exploring,
        indexing,
        login,
        health,
        metrics,
    ):
        app.include_router(module.router, responses=INVALID)
    app.router.routes.append(PageFiles())
    return app
