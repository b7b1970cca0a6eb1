"""What the requests of one server share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from fastapi import Request

from twobranch.indexer.catalog.photo_file import ProvenFiles
from twobranch.indexer.catalog.reader import CatalogReader, LibraryModel
from twobranch.retrieval.encoders import load_encoder
from twobranch.retrieval.evaluation.explorer import Explorer
from twobranch.server.api.thumbnails import Thumbnails
from twobranch.server.http.uploads import Uploads
from twobranch.server.settings import Settings
from twobranch.server.work.engines import ServedEngine
from twobranch.server.work.index_child import library_encoder
from twobranch.server.work.index_run import Indexing
from twobranch.server.work.response_cache import Answers
from twobranch.server.work.uploaded_pictures import Pictures
from twobranch.server.work.workers import Workers

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder
    from twobranch.indexer.update.run import AnyEncoder


class State:
    """The library, open: engines that search, readers for the rest, and what was answered lately."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[LibraryModel], Encoder] = load_encoder,
        index_with: Callable[[Path], AnyEncoder] = library_encoder,
    ) -> None:
        self.settings = settings
        self.models = Models(load)
        self.engines = Workers(settings.threads, self._open_engine, "search")
        self.readers = Workers(2, lambda: CatalogReader.open(settings.library), "read")
        self.indexing = Indexing(settings.library, index_with)
        self.explorers = Workers(1, lambda: Explorer(settings.library), "explore")  # one: it keeps the ranks
        self.evaluating = Lock()  # held while an evaluation runs
        self.answers = Answers()
        self.facets = Answers()
        self.pictures = Pictures()
        self.uploads = Uploads()
        self.thumbnails = Thumbnails(settings.library)
        self.proven = ProvenFiles()
        self._watcher = CatalogReader.open(settings.library)  # of the thread that takes requests

    def _open_engine(self) -> ServedEngine:
        return ServedEngine(self.settings.library, self.models.get)

    def version(self) -> int:
        """Changes whenever anybody commits to the catalogue. Only for the thread that takes requests."""
        return self._watcher.version()

    def close(self) -> None:
        self.indexing.close()
        self.uploads.close()
        self.engines.close()
        self.readers.close()
        self.explorers.close()
        self.thumbnails.close()
        self._watcher.close()


class Models:
    """The encoder of the model that was asked for last: all engines share it."""

    def __init__(self, load: Callable[[LibraryModel], Encoder]) -> None:
        self._load = load
        self._lock = Lock()
        self._latest: tuple[LibraryModel, Encoder] | None = None

    def get(self, model: LibraryModel) -> Encoder:
        """The encoder of a catalogued model. Raises ``LibraryError``."""
        with self._lock:
            if self._latest is None or self._latest[0] != model:
                self._latest = (model, self._load(model))
            return self._latest[1]


def state_of(request: Request) -> State:
    """The state of the server that a request came to (a FastAPI dependency)."""
    state = request.app.state.shared
    assert isinstance(state, State)
    return state
