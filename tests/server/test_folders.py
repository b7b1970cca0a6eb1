"""Folders chosen from the page: only below what may be chosen from, and never anything hidden."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests import indexwith
from tests.fakes import FakeEncoder, deny_listing, write_photo
from tests.waiting import wait_for
from twobranch.indexer.catalog.connection import open_database
from twobranch.server.api.folders import FolderListing
from twobranch.server.app import create_app
from twobranch.server.settings import Settings
from twobranch.server.work import folder_choice
from twobranch.server.work.folder_choice import default_tops


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three folders, of which one is hidden, and a file; photos in one of them and below it."""
    home = tmp_path / "home"
    for name in ("Pictures/red.png", "Pictures/2021/blue.png", ".cache/green.png", "desk.png"):
        write_photo(home / name, "red")
    (home / "empty").mkdir()
    (home / "notes.txt").touch()
    return home


@contextmanager
def serving(library: Path, tops: Sequence[Path], **settings: Any) -> Iterator[TestClient]:
    open_database(library, create=True)
    app = create_app(
        Settings(library, choose_from=tuple(tops), **settings), lambda model: FakeEncoder(), indexwith.fake
    )
    with TestClient(app, "http://127.0.0.1") as client:
        yield client


@pytest.fixture
def client(library: Path, home: Path) -> Iterator[TestClient]:
    with serving(library, [home]) as client:
        yield client


def listing(client: TestClient, path: Path | str = "") -> dict[str, Any]:
    """A listing, which is as the OpenAPI description says."""
    response = client.get("/api/folders", params={"path": str(path)})
    assert response.status_code == 200, response.text
    assert FolderListing.model_validate(response.json()).model_dump() == response.json()
    return response.json()


def refusal(client: TestClient, path: Path | str) -> tuple[int, str]:
    """The status and the line for a folder that cannot be chosen; listing and indexing agree."""
    listed = client.get("/api/folders", params={"path": str(path)})
    started = client.post("/api/index", json={"path": str(path)})
    assert (listed.status_code, listed.json()) == (started.status_code, started.json())
    assert "\n" not in listed.json()["error"]
    return listed.status_code, listed.json()["error"]


def names(found: dict[str, Any]) -> list[str]:
    return [folder["name"] for folder in found["folders"]]


def test_choosing_begins_at_the_tops(client: TestClient, home: Path) -> None:
    assert listing(client) == {
        "path": "",
        "parent": None,
        "photos": None,
        "folders": [{"name": str(home), "path": str(home), "photos": 1}],
        "more": False,
    }


def test_folders_come_by_name_with_their_photos(client: TestClient, home: Path) -> None:
    (home / "apples").mkdir()
    found = listing(client, home)
    assert [(one["name"], one["photos"]) for one in found["folders"]] == [
        ("apples", 0),
        ("empty", 0),
        ("Pictures", 1),  # the one directly in it; case does not matter for the order
    ]
    assert (found["parent"], found["photos"]) == ("", 1)
    assert listing(client, home / "Pictures")["parent"] == str(home)


def test_a_chosen_folder_is_indexed(client: TestClient, home: Path) -> None:
    assert client.post("/api/index", json={"path": str(home / "Pictures")}).status_code == 202
    report = wait_for(lambda: None if (now := client.get("/api/index").json())["running"] else now["report"])
    assert report["added"] == 2
    folders = client.get("/api/status").json()["folders"]
    assert [one["path"] for one in folders] == [str(home / "Pictures")]


def test_a_folder_above_what_is_indexed_takes_it_over(client: TestClient, home: Path) -> None:
    for path in (home / "Pictures" / "2021", home):
        client.post("/api/index", json={"path": str(path)})
        wait_for(lambda: not client.get("/api/index").json()["running"])
    status = client.get("/api/status").json()
    assert [(one["path"], one["photos"]) for one in status["folders"]] == [(str(home), 3)]


def test_other_places_are_refused_before_the_disk_is_asked(
    client: TestClient, home: Path, tmp_path: Path
) -> None:
    write_photo(tmp_path / "private" / "red.png", "red")
    ways = [tmp_path / "private", home.parent, "/", "/no/such", home / ".." / "private", f"{home}er"]
    assert {refusal(client, way)[0] for way in ways} == {403}  # so nobody learns which of them exist


def test_hidden_folders_are_not_chosen(client: TestClient, home: Path) -> None:
    assert names(listing(client, home)) == ["empty", "Pictures"]
    assert "hidden" in refusal(client, home / ".cache")[1]
    assert refusal(client, home / ".cache" / "no")[0] == 403


def test_a_hidden_top_that_was_named_is_meant(library: Path, home: Path) -> None:
    with serving(library, [home / ".cache"]) as client:
        assert listing(client, home / ".cache")["photos"] == 1


def test_the_library_is_not_chosen(home: Path) -> None:
    with serving(home / "library", [home]) as client:
        assert "library" not in names(listing(client, home))
        assert "library itself" in refusal(client, home / "library")[1]


def test_links_lead_only_where_one_may_go(client: TestClient, home: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (home / "out").symlink_to(tmp_path / "private")
    (home / "secret").symlink_to(home / ".cache")
    (home / "mine").symlink_to(home / "Pictures" / "2021")
    (home / "circle").symlink_to(home / "circle")
    assert names(listing(client, home)) == ["empty", "mine", "Pictures"]
    assert listing(client, home / "mine")["path"] == str(home / "Pictures" / "2021")
    assert refusal(client, home / "out")[0] == 403
    assert refusal(client, home / "secret")[0] == 403
    assert refusal(client, home / "circle")[0] in (403, 404)


def test_what_is_no_folder_is_told(client: TestClient, home: Path) -> None:
    assert refusal(client, home / "notes.txt") == (400, f"{home / 'notes.txt'}: not a folder")
    assert refusal(client, home / "gone") == (404, f"{home / 'gone'}: there is no such folder any more")
    assert refusal(client, home / "notes.txt" / "in")[0] == 404
    assert refusal(client, "Pictures")[0] == 400
    assert refusal(client, f"{home}/a\0b")[0] == 400
    assert refusal(client, home / ("x" * 300))[0] == 403  # the system refuses such a name
    assert client.post("/api/index", json={"path": "/" + "x" * 5000}).status_code == 422
    half = json.dumps({"path": f"{home}/\ud800"})  # half of a surrogate pair, as JSON may have it
    headers = {"Content-Type": "application/json"}
    assert client.post("/api/index", content=half, headers=headers).status_code in (400, 422)
    assert client.post("/api/index", json={"path": str(home), "folder": 0}).status_code == 422


def test_a_folder_that_may_not_be_read_is_told(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny_listing(monkeypatch, home / "Pictures")
    assert {one["name"]: one["photos"] for one in listing(client, home)["folders"]}["Pictures"] is None
    response = client.get("/api/folders", params={"path": str(home / "Pictures")})
    assert (response.status_code, "permission denied" in response.json()["error"]) == (403, True)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_a_page_cannot_send_back_are_left_out(client: TestClient, home: Path) -> None:
    (home / os.fsdecode(b"\xe9t\xe9")).mkdir()
    (home / "été").mkdir()
    assert names(listing(client, home)) == ["empty", "Pictures", "été"]


def test_long_listings_are_cut_and_say_so(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_choice, "MOST", 3)
    for name in "cab":
        (home / name).mkdir()
    found = listing(client, home)
    assert (names(found), found["more"]) == (["a", "b", "c"], True)


def test_counting_gives_up_in_large_folders(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_choice, "_COUNTED_ENTRIES", 5)
    for number in range(9):
        (home / "Pictures" / f"{number}.jpg").touch()
    # 5 entries are the home folder's own; nothing is left for those in it.
    assert [one["photos"] for one in listing(client, home)["folders"]] == [0, None]


def test_without_tops_nothing_can_be_chosen(library: Path, home: Path) -> None:
    with serving(library, []) as client:
        for path in ("", home, "/"):
            response = client.get("/api/folders", params={"path": str(path)})
            assert (response.status_code, "--choose-from" in response.json()["error"]) == (403, True)
        assert client.post("/api/index", json={"path": str(home)}).status_code == 403
        assert not client.get("/api/status").json()["choosing"]


def test_the_token_and_the_site_are_asked_first(library: Path, home: Path) -> None:
    with serving(library, [home], token="a-long-secret") as client:
        assert client.get("/api/folders").status_code == 401
        assert client.post("/api/index", json={"path": str(home)}).status_code == 401
        bearer = {"Authorization": "Bearer a-long-secret"}
        assert client.get("/api/folders", headers=bearer).status_code == 200
        elsewhere = bearer | {"Sec-Fetch-Site": "cross-site"}
        assert client.get("/api/folders", headers=elsewhere).status_code == 403


def test_the_tops_are_the_home_folder_and_drives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "ann")
    monkeypatch.setattr(folder_choice, "_MOUNTS", (str(tmp_path / "media"), str(tmp_path / "no")))
    assert default_tops() == (tmp_path / "ann", tmp_path / "media")
