"""State shared by all requests of a server."""

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
from twobranch.server.work.added_photos import AddedPhotos
from twobranch.server.work.browsing_reader import BrowsingReader
from twobranch.server.work.engines import ServedEngine
from twobranch.server.work.folder_choice import FolderChoice
from twobranch.server.work.index_child import library_encoder
from twobranch.server.work.index_run import Indexing
from twobranch.server.work.photo_maps import PhotoMaps
from twobranch.server.work.places import Places
from twobranch.server.work.response_cache import ResponseCache
from twobranch.server.work.suggester import Suggester
from twobranch.server.work.uploaded_pictures import Pictures
from twobranch.server.work.workers import Workers

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder
    from twobranch.indexer.update.run import AnyEncoder

_MOST_TIMELINES = 16  # one of 100,000 photos takes a megabyte


class State:
    """The open library: search engines, catalogue readers, caches and background work."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[LibraryModel], Encoder] = load_encoder,
        index_with: Callable[[Path], AnyEncoder] = library_encoder,
    ) -> None:
        self.settings = settings
        self.models = Models(load)
        self.engines = Workers(settings.threads, self._open_engine, "search")
        self.readers = Workers(2, lambda: BrowsingReader.open(settings.library), "read")
        self.indexing = Indexing(settings.library, index_with)
        self.explorers = Workers(1, lambda: Explorer(settings.library), "explore")  # one: it caches ranks
        self.locators = Workers(1, self._open_engine, "where")  # for `places`
        self.evaluating = Lock()  # held while an evaluation runs
        self.answers = ResponseCache()
        self.facets = ResponseCache()
        self.timelines = ResponseCache(_MOST_TIMELINES)
        self.maps = ResponseCache()
        self.photo_maps = PhotoMaps()
        self.pictures = Pictures()
        self.uploads = Uploads()
        self.thumbnails = Thumbnails(settings.library)
        self.proven = ProvenFiles()
        self.places = Places(self.proven, self.thumbnails.memory)
        self.suggester = Suggester()
        self.added_photos = AddedPhotos(settings.library)
        self.folder_choice = FolderChoice(settings.choose_from, settings.library)
        self._watcher = CatalogReader.open(settings.library)  # belongs to the event loop's thread

    def _open_engine(self) -> ServedEngine:
        return ServedEngine(self.settings.library, self.models.get)

    def version(self) -> int:
        """Return the catalogue's version, which changes with every commit.

        Only for the event loop's thread.
        """
        return self._watcher.version()

    def close(self) -> None:
        self.indexing.close()
        self.uploads.close()
        self.engines.close()
        self.locators.close()
        self.readers.close()
        self.explorers.close()
        self.thumbnails.close()
        self._watcher.close()


class Models:
    """Cache of the latest model's encoder, shared by all engines."""

    def __init__(self, load: Callable[[LibraryModel], Encoder]) -> None:
        self._load = load
        self._lock = Lock()
        self._latest: tuple[LibraryModel, Encoder] | None = None

    def get(self, model: LibraryModel) -> Encoder:
        """Return the encoder of a catalogued model. Raises ``LibraryError``."""
        with self._lock:
            if self._latest is None or self._latest[0] != model:
                self._latest = (model, self._load(model))
            return self._latest[1]


def state_of(request: Request) -> State:
    """Return the shared state of the server (a FastAPI dependency)."""
    state = request.app.state.shared
    assert isinstance(state, State)
    return state
