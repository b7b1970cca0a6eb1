"""The application: routes, errors, the page's files, and what stands before them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from embedding import __version__
from indexer.reader import LibraryModel
from retrieval.encoders import load_encoder
from server import (
    captions,
    evaluations,
    exploring,
    facets,
    handedin,
    health,
    indexing,
    login,
    metrics,
    photos,
    searching,
    status,
)
from server.bodies import Bodies
from server.ending import Ending
from server.errors import INVALID, add_error_handlers
from server.guard import Guard
from server.headers import Headers
from server.hosts import Hosts
from server.indexchild import library_encoder
from server.keeper import Keeper
from server.methods import http_error
from server.metrics import Counts, Measured
from server.pagefiles import PageFiles
from server.settings import Settings
from server.state import State

if TYPE_CHECKING:
    from embedding.encoder import Encoder
    from indexer.run import AnyEncoder


class Application(FastAPI):
    """FastAPI behind the guard. Its own middleware would stand behind its handler of crashes, whose answers
    would then lack the headers."""

    def build_middleware_stack(self) -> ASGIApp:
        settings: Settings = self.state.shared.settings
        guarded = Guard(super().build_middleware_stack(), Hosts(settings), self.state.keeper)
        return Headers(Ending(Measured(Bodies(guarded, settings.max_upload), self.state.counts)))


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
    app.state.keeper = None if settings.token is None else Keeper(settings.token)
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
