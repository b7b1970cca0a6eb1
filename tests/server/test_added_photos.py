"""Photos added from the page: checked, named, kept once, indexed, and left alone by everything else."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests import indexwith
from tests.fakes import FakeEncoder, write_photo
from tests.indexing import check, images
from tests.server.test_indexing import many_photos
from tests.waiting import wait_for
from twobranch.indexer.catalog.connection import open_database
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.maintenance.relocate import forget
from twobranch.indexer.maintenance.vacuum import vacuum
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.status import library_status
from twobranch.server.api.added_photos import AddedAnswer
from twobranch.server.app import create_app
from twobranch.server.settings import Settings
from twobranch.server.work.added_photos import safe_name

Files = Sequence[tuple[str, bytes]]


def png(color: str, size: int = 8) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), color).save(file, "PNG")
    return file.getvalue()


@contextmanager
def serving(
    library: Path, index_with: Callable[[Path], FakeEncoder] = indexwith.fake, **settings: Any
) -> Iterator[TestClient]:
    open_database(library, create=True)
    app = create_app(
        Settings(library, **{"adding": True} | settings), lambda model: FakeEncoder(), index_with
    )
    with TestClient(app, "http://127.0.0.1") as client:
        yield client


@pytest.fixture
def client(library: Path) -> Iterator[TestClient]:
    with serving(library) as client:
        yield client


def add(client: TestClient, files: Files, status: int = 201) -> dict[str, Any]:
    """The answer, which is as the OpenAPI description says."""
    response = client.post("/api/photos", files=[("file", file) for file in files])
    assert response.status_code == status, response.text
    assert AddedAnswer.model_validate(response.json()).model_dump() == response.json()
    return response.json()


def indexed(client: TestClient) -> dict[str, Any]:
    """The report of the last run, once there is none under way."""
    return wait_for(lambda: None if (now := client.get("/api/index").json())["running"] else now["report"])


def kept(library: Path) -> list[str]:
    return sorted(path.name for path in (library / "photos").iterdir())


def test_added_photos_are_kept_and_found(client: TestClient, library: Path) -> None:
    answer = add(client, [("red.png", png("red")), ("blue.png", png("blue"))])
    assert answer == {
        "folder": str(library / "photos"),
        "added": [
            {"name": "red.png", "path": str(library / "photos" / "red.png")},
            {"name": "blue.png", "path": str(library / "photos" / "blue.png")},
        ],
        "failed": [],
        "problem": None,
    }
    assert indexed(client)["added"] == 2
    hits = client.get("/api/search?q=red").json()["hits"]
    assert hits[0]["path"] == str(library / "photos" / "red.png")
    assert (library / "photos" / "red.png").read_bytes() == png("red")


def test_what_is_no_photo_is_refused_and_the_rest_is_kept(client: TestClient, library: Path) -> None:
    cut = png("red")[:40]
    answer = add(client, [("a.txt", b"words"), ("b.png", b"words"), ("c.png", cut), ("d.png", png("red"))])
    assert [(one["name"], bool(one["reason"])) for one in answer["failed"]] == [
        ("a.txt", True),
        ("b.png", True),
        ("c.png", True),
    ]
    assert kept(library) == ["d.png"]


def test_without_a_photo_nothing_is_made(client: TestClient, library: Path) -> None:
    add(client, [("a.txt", b"words")], status=200)
    assert not (library / "photos").exists()
    assert client.get("/api/index").json()["started_at"] is None


def test_taken_names_get_a_number_and_the_same_photo_is_kept_once(client: TestClient, library: Path) -> None:
    add(client, [("a.png", png("red")), ("A.PNG", png("blue")), ("a.png", png("green"))])
    assert kept(library) == ["A (2).PNG", "a (3).png", "a.png"]
    indexed(client)
    again = add(client, [("a.png", png("green"))], status=200)
    assert [Path(one["path"]).name for one in again["added"]] == ["a (3).png"]
    assert kept(library) == ["A (2).PNG", "a (3).png", "a.png"]


def test_a_photo_that_was_stored_by_a_server_that_was_killed_is_indexed_when_it_comes_again(
    client: TestClient, library: Path
) -> None:
    (library / "photos").mkdir()
    (library / "photos" / "red.png").write_bytes(png("red"))  # it was killed before the run
    add(client, [("red.png", png("red"))], status=200)
    assert indexed(client)["added"] == 1


@pytest.mark.parametrize(
    ("sent", "safe"),
    [
        ("beach.jpg", "beach.jpg"),
        ("../../etc/beach.jpg", "beach.jpg"),
        ("C:\\photos\\beach.jpg", "beach.jpg"),
        (".hidden.jpg", "hidden.jpg"),
        ("a\nb\x00c\u202ed.jpg", "a_b_c_d.jpg"),
        ('<a>:"|?*.jpg', "_a______.jpg"),
        ("été à 3.jpg", "été à 3.jpg"),
        ("e\u0301te.jpg", "éte.jpg"),  # composed, as most people type it
        ("con.jpg", "_con.jpg"),
        ("NUL.tar.jpg", "_NUL.tar.jpg"),
        (" .jpg", "jpg"),  # no photo's name; it is refused
        ("x" * 300 + ".jpg", "x" * 120 + ".jpg"),
        ("é" * 100 + ".jpg", "é" * 60 + ".jpg"),  # two bytes each
        ("", "photo"),
    ],
)
def test_names_are_made_safe(sent: str, safe: str) -> None:
    assert safe_name(sent) == safe
    assert safe_name(safe) == safe


def test_photos_wait_for_the_run_that_is_on(library: Path, tmp_path: Path) -> None:
    many_photos(tmp_path / "photos")
    with serving(library, indexwith.slow, folders=(tmp_path / "photos",)) as client:
        client.post("/api/index")
        wait_for(lambda: client.get("/api/index").json()["done"] > 0)
        assert add(client, [("red.png", png("red"))])["problem"] is None
        assert client.get("/api/index").json()["running"]
        client.delete("/api/index")
        wait_for(lambda: any(path.endswith("red.png") for path in images(library)))
        wait_for(lambda: not client.get("/api/index").json()["running"])


def test_while_a_terminal_indexes_they_are_kept_and_it_is_told(client: TestClient, library: Path) -> None:
    with indexing_lock(library):
        problem = add(client, [("red.png", png("red"))])["problem"]
    assert "another `index`" in problem and f"`index {library / 'photos'}`" in problem
    assert kept(library) == ["red.png"]


def test_the_folder_around_the_library_leaves_them_alone(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    """A library lies in the folder that is indexed, as ``index`` makes it by itself."""
    update_library(library, [photos.parent], encoder)
    with serving(library) as client:
        add(client, [("rose.png", png("red", 9))])
        indexed(client)
    own = {"photos/red.png", "photos/green.png", "photos/blue.png", ".twobranch/photos/rose.png"}
    assert set(images(library)) == own
    for paths in ([], [photos.parent], [library / "photos"]):
        report = update_library(library, paths, encoder)
        assert (report.added, report.removed) == (0, 0), paths
        assert set(images(library)) == own
    changes = library_status(library)["changes"]
    assert (changes["new"], changes["gone"], changes["unreachable"]) == (0, 0, 0)


def test_nothing_else_touches_them(client: TestClient, library: Path, encoder: FakeEncoder) -> None:
    add(client, [("a.part.png", png("red")), ("b.png", png("blue"))])
    indexed(client)
    for name in kept(library):
        os.utime(library / "photos" / name, (0, 0))  # older than any file that is being written
    update_library(library, [], encoder)
    vacuum(library)
    assert kept(library) == ["a.part.png", "b.png"]
    check(library)
    forget(library, [library / "photos" / "b.png"])
    update_library(library, [], encoder)
    assert {Path(path).name for path in images(library)} == {"a.part.png"}
    assert kept(library) == ["a.part.png", "b.png"]  # forgotten, not deleted


def test_limits(client: TestClient, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [(f"{number}.png", png("red")) for number in range(21)]
    response = client.post("/api/photos", files=[("file", file) for file in many])
    assert (response.status_code, "error" in response.json()) == (400, True)
    assert client.post("/api/photos", files=[("picture", ("a.png", png("red")))]).status_code == 422
    assert client.post("/api/photos", json={"photos": [1]}).status_code in (400, 415, 422)
    with serving(library, max_upload=1000) as small:
        large = [("file", ("a.png", bytes(80_000)))]
        assert small.post("/api/photos", files=large).status_code == 413
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=499_999_999))
    response = client.post("/api/photos", files=[("file", ("a.png", png("red")))])
    assert (response.status_code, "nearly full" in response.json()["error"]) == (507, True)
    assert not (library / "photos").exists()


def test_a_full_disk_leaves_no_part_of_a_photo(
    client: TestClient, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    answer = add(client, [("red.png", png("red"))], status=200)
    assert answer["failed"] == [{"name": "red.png", "reason": "no space left on device"}]
    assert [*library.glob("*.part*"), *library.glob("photos/*")] == []


def test_who_may_not_add_photos(library: Path) -> None:
    files = [("file", ("red.png", png("red")))]
    with serving(library, adding=False) as client:
        assert client.post("/api/photos", files=files).status_code == 403
        assert not client.get("/api/status").json()["adding"]
    with serving(library, token="a-long-secret") as client:
        assert client.post("/api/photos", files=files).status_code == 401
        bearer = {"Authorization": "Bearer a-long-secret"}
        elsewhere = bearer | {"Sec-Fetch-Site": "cross-site"}
        assert client.post("/api/photos", files=files, headers=elsewhere).status_code == 403
        assert client.post("/api/photos", files=files, headers=bearer).status_code == 201
        indexed(TestClient(client.app, "http://127.0.0.1", headers=bearer))


def test_a_photo_of_a_phone_keeps_its_bytes(client: TestClient, library: Path, tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "IMG_1.jpg", "red", (40, 30), quality=90, comment=b"as it is")
    add(client, [("IMG_1.jpg", photo.read_bytes())])
    assert (library / "photos" / "IMG_1.jpg").read_bytes() == photo.read_bytes()
    indexed(client)
