"""Indexing over HTTP, in real processes: searches go on, nothing is lost, and every end is told."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe, active_children
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from tests import indexwith
from tests.fakes import FakeEncoder, write_photo
from tests.indexing import check, images
from tests.waiting import wait_for
from twobranch.indexer.catalog.connection import open_database
from twobranch.indexer.catalog.known_libraries import libraries_holding
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.update.library import update_library
from twobranch.server.api.indexing import IndexState
from twobranch.server.app import create_app
from twobranch.server.settings import Settings
from twobranch.server.work.index_child import PipedProgress

IDLE = {
    **{"running": False, "stopping": False, "stopped": False, "started_at": None, "ended_at": None},
    **{"label": None, "done": 0, "total": None, "per_second": None},
    **{"notes": [], "report": None, "error": None, "failed": []},
}


@contextmanager
def serving(
    library: Path, index_with: Callable[[Path], FakeEncoder] = indexwith.fake, folders: tuple[Path, ...] = ()
) -> Iterator[TestClient]:
    app = create_app(Settings(library, folders=folders), lambda model: FakeEncoder(), index_with)
    with TestClient(app, "http://127.0.0.1") as client:
        yield client


def facts(response: Response) -> dict[str, Any]:
    """An answer, which is as the OpenAPI description says, without the library's version."""
    answer = response.json()
    assert IndexState.model_validate(answer).model_dump() == answer
    for name in ("library_version", "page", "logged_in"):  # of the server, not of its run
        del answer[name]
    return answer


def state(client: TestClient) -> dict[str, Any]:
    """How it stands."""
    return facts(client.get("/api/index"))


def wait(client: TestClient, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first state that ``until`` holds of."""
    return wait_for(lambda: now if until(now := state(client)) else None)


def ended(now: dict[str, Any]) -> bool:
    return not now["running"]


def many_photos(folder: Path, n: int = 100) -> None:
    """So many photos, no two of them alike: what is alike is encoded once."""
    for number in range(n):
        write_photo(folder / f"{number:03}.png", (number, 255 - number, 7))


def names(client: TestClient, query: str) -> list[str]:
    response = client.get("/api/search", params={"q": query, "fold": False})
    assert response.status_code == 200, response.text
    return [Path(hit["path"]).name for hit in response.json()["hits"]]


def test_new_photos_are_found_while_searches_go_on(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    write_photo(photos / "rose.png", (200, 0, 0))
    with serving(library) as client:
        assert state(client) == IDLE
        assert "rose.png" not in names(client, "red")
        started = client.post("/api/index")
        assert (started.status_code, started.json()["running"]) == (202, True)

        def is_done() -> bool:
            assert names(client, "red")[0] in ("red.png", "rose.png")
            return ended(state(client))

        wait_for(is_done)
        assert set(names(client, "red")[:2]) == {"red.png", "rose.png"}
        now = state(client)
    report = now["report"]
    assert (report["added"], report["unchanged"], report["encoded"]) == (1, 3, 1)
    assert [failure["path"] for failure in now["failed"]] == [str(photos / "broken.jpg")]
    assert now["started_at"] <= now["ended_at"]
    assert (now["error"], now["stopped"], now["label"]) == (None, False, None)
    check(library)


def test_a_new_library_is_filled_from_the_folders_of_the_command_line(
    library: Path, photos: Path, tmp_path: Path
) -> None:
    write_photo(tmp_path / "phone" / "sky.png", "blue")
    open_database(library, create=True)
    with serving(library, folders=(photos, tmp_path / "phone")) as client:
        assert names(client, "blue") == []
        assert client.post("/api/index", json={"folder": 1}).status_code == 202
        assert wait(client, ended)["report"]["added"] == 1
        assert names(client, "blue") == ["sky.png"]
        assert client.post("/api/index", json={"folder": 2}).status_code == 404
        assert client.post("/api/index", json={"folder": -1}).status_code == 422
        assert client.post("/api/index", json={"paths": ["/"]}).status_code == 422
        client.post("/api/index", json={"folder": None})  # what it knows, and that is the phone
        assert wait(client, ended)["report"]["unchanged"] == 1
    assert set(images(library)) == {"phone/sky.png"}


def test_without_a_number_a_new_library_takes_all_folders(
    library: Path, photos: Path, tmp_path: Path
) -> None:
    write_photo(tmp_path / "phone" / "sky.png", "blue")
    open_database(library, create=True)
    with serving(library, folders=(photos, tmp_path / "phone")) as client:
        client.post("/api/index")
        assert wait(client, ended)["report"]["added"] == 4


def test_a_search_in_the_folders_will_find_the_library(photos: Path, tmp_path: Path) -> None:
    library = tmp_path / "data/.twobranch"
    open_database(library, create=True)
    with serving(library, folders=(photos,)) as client:
        client.post("/api/index")
        assert wait(client, ended)["report"]["added"] == 3
    assert libraries_holding(photos) == [library]


def test_a_damaged_catalogue_is_said(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    with sqlite3.connect(library / "catalog.sqlite") as connection:
        connection.execute("UPDATE settings SET value = '[' WHERE key = 'folders'")
    with serving(library) as client:
        client.post("/api/index")
        assert "`doctor --repair`" in wait(client, ended)["error"]


def test_nothing_to_index(library: Path) -> None:
    open_database(library, create=True)
    with serving(library) as client:
        response = client.post("/api/index")
        assert response.status_code == 400
        assert "serve ~/Pictures" in response.json()["error"]
        assert state(client) == IDLE


def test_one_run_at_a_time_and_its_priority(library: Path, tmp_path: Path) -> None:
    many_photos(tmp_path / "photos")
    open_database(library, create=True)
    with serving(library, indexwith.slow, (tmp_path / "photos",)) as client:
        client.post("/api/index")
        again = client.post("/api/index")
        assert (again.status_code, "from the page" in again.json()["error"]) == (409, True)
        now = wait(client, lambda now: now["done"] > 0)
        assert (now["label"], now["total"]) == ("photos", 100)
        assert now["per_second"] > 0
        (child,) = active_children()
        assert child.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)


def test_while_a_terminal_indexes(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    with serving(library) as client, indexing_lock(library):
        response = client.post("/api/index")
        assert (response.status_code, "another `index`" in response.json()["error"]) == (409, True)
        assert state(client) == IDLE


def test_stopping_keeps_what_is_finished(library: Path, tmp_path: Path) -> None:
    many_photos(tmp_path / "photos")
    open_database(library, create=True)
    with serving(library, indexwith.slow, (tmp_path / "photos",)) as client:
        assert facts(client.delete("/api/index")) == IDLE  # there is none
        client.post("/api/index")
        done = wait(client, lambda now: now["done"] > 0)["done"]
        stopping = client.delete("/api/index").json()
        assert stopping["stopping"] or stopping["stopped"]
        now = wait(client, ended)
        assert (now["stopped"], now["report"], now["error"]) == (True, None, None)
        n_kept = len(images(library))
        assert done <= n_kept < 100
        check(library)
        (tmp_path / "go").touch()
        client.post("/api/index")
        report = wait(client, ended)["report"]
        assert (report["unchanged"], report["added"]) == (n_kept, 100 - n_kept)


def test_closing_the_server_ends_the_run(library: Path, tmp_path: Path) -> None:
    many_photos(tmp_path / "photos")
    open_database(library, create=True)
    with serving(library, indexwith.slow, (tmp_path / "photos",)) as client:
        client.post("/api/index")
        wait(client, lambda now: now["done"] > 0)
    assert client.app.state.shared.indexing.as_json()["stopped"]  # it was not killed
    assert active_children() == []
    with indexing_lock(library):
        check(library)


@pytest.mark.parametrize(
    ("index_with", "told"),
    [
        (indexwith.none, "the model is gone; put it back"),
        (indexwith.defect, "internal error"),
        (indexwith.killed, "ended unexpectedly (by signal 9)"),
    ],
)
def test_a_run_that_fails_says_why(
    library: Path, photos: Path, index_with: Callable[[Path], FakeEncoder], told: str
) -> None:
    update_library(library, [photos], FakeEncoder())
    write_photo(photos / "rose.png", (200, 0, 0))
    with serving(library, index_with) as client:
        client.post("/api/index")
        now = wait(client, ended)
        assert told in now["error"]
        assert names(client, "red")[0] == "red.png"
    check(library)


def test_what_others_index_is_noticed(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    with serving(library) as client:
        before = client.get("/api/index").json()["library_version"]
        assert client.get("/api/index").json()["library_version"] == before
        write_photo(photos / "rose.png", (200, 0, 0))
        update_library(library, [], encoder)  # as `index` or `watch` in a terminal
        assert client.get("/api/index").json()["library_version"] != before


def test_progress_is_told_now_and_then_but_in_full() -> None:
    told, tell = Pipe(duplex=False)
    progress = PipedProgress(tell)
    progress.start("photos", 1000)
    for _ in range(1000):
        progress.advance()
    progress.finish()
    tell.close()
    heard = []
    while told.poll():
        try:
            heard.append(told.recv())
        except EOFError:
            break
    assert (heard[0], heard[-1]) == (("start", "photos", 1000), ("finish",))
    advances = [message[1] for message in heard[1:-1]]
    assert sum(advances) == 1000
    assert len(advances) < 100  # at most ten a second
