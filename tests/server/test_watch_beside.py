"""A server beside a running ``watch``: photos are found once they are indexed, and either goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from queue import Queue
from threading import Thread

from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from tests.waiting import PATIENCE, wait_for
from twobranch.common.progress import SILENT
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import IndexReport, update_library
from twobranch.indexer.update.remembered import known_roots
from twobranch.indexer.update.watch import WatchStats, keep_current
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


def test_photos_are_found_once_watch_has_indexed_them(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    update_library(library, [photos], encoder)
    changed: Queue[Path | None] = Queue()  # what changes on disk, until None
    indexed: Queue[int] = Queue()  # how many photos were added, run by run

    def source(roots: Sequence[Path]) -> Iterator[set[Path]]:
        yield set()
        while (path := changed.get()) is not None:
            yield {path}

    def refresh(roots: Sequence[Path]) -> IndexReport:
        report = update_library(library, [], encoder, within=roots)
        indexed.put(report.added)
        return report

    def watch() -> None:
        with closing(Catalog.open(library)) as catalog:
            keep_current(lambda: known_roots(catalog), refresh, source, WatchStats(), SILENT)

    watching = Thread(target=watch)
    watching.start()
    app = create_app(Settings(library), lambda model: encoder)
    with TestClient(app, "http://127.0.0.1") as client:
        try:
            assert indexed.get(timeout=PATIENCE) == 0  # it begins as a plain `index` does
            for number in range(5):
                path = write_photo(photos / f"rose{number}.png", (200 + number, 0, 0))
                changed.put(path)
                wait_for(lambda: names(client) and not indexed.empty())  # searches go on, and none fails
                assert indexed.get() == 1
                wait_for(lambda path=path: path.name in names(client))  # type: ignore[misc]
        finally:
            changed.put(None)
            watching.join(PATIENCE)


def names(client: TestClient) -> list[str]:
    """The photos that a search finds now."""
    response = client.get("/api/search", params={"q": "red", "fold": False, "top": 20})
    assert response.status_code == 200, response.text
    return [Path(hit["path"]).name for hit in response.json()["hits"]]
