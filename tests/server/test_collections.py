"""Ratings, albums, saved searches and downloads over HTTP."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images
from tests.server.serving import request, send, serving
from twobranch.indexer.catalog.photo_facts import photo_files
from twobranch.indexer.catalog.photo_file import ProvenFiles
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library
from twobranch.server.api.archive import zip_pieces
from twobranch.server.api.photos import PhotoAnswer
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    """Over red.png, green.png, blue.png and another red.png in a folder."""
    write_photo(photos / "more/red.png", (200, 30, 0))
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


@pytest.fixture
def ids(client: TestClient, library: Path) -> dict[str, int]:
    return {path.removeprefix("photos/"): row.id for path, row in images(library).items()}


def get(client: TestClient, path: str, **parameters: Any) -> Any:
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def found(client: TestClient, **parameters: Any) -> list[str]:
    """The names of the hits of a search, in order of the alphabet."""
    return sorted(
        Path(hit["path"]).name for hit in get(client, "/api/search", fold=False, **parameters)["hits"]
    )


# --- marks ------------------------------------------------------------------------------------------


def test_photos_are_rated_and_found_by_it(client: TestClient, ids: dict[str, int]) -> None:
    red, blue = ids["red.png"], ids["blue.png"]
    assert found(client, rating="4+") == []  # an answer that is remembered until a photo is rated
    answer = client.patch("/api/photos", json={"photos": [red, blue, 999], "rating": 4})
    assert (answer.status_code, answer.json()) == (200, {"changed": 2})
    client.patch("/api/photos", json={"photos": [blue], "favourite": True})
    assert found(client, rating="4+") == ["blue.png", "red.png"]
    assert found(client, rating="4", favourite=True) == ["blue.png"]
    assert found(client, rating="0") == ["green.png", "red.png"]
    assert found(client, q="blue", favourite=False) == ["green.png", "red.png", "red.png"]
    (hit,) = get(client, "/api/search", favourite=True)["hits"]
    assert (hit["rating"], hit["favourite"]) == (4, True)
    photo = get(client, f"/api/photos/{blue}")
    assert PhotoAnswer.model_validate(photo).model_dump() == photo
    assert (photo["rating"], photo["favourite"], photo["albums"]) == (4, True, [])
    client.patch("/api/photos", json={"photos": [red], "rating": 0})
    lists = get(client, "/api/albums")
    assert (lists["ratings"], lists["favourites"]) == ([3, 0, 0, 0, 1, 0], 1)


def test_a_plus_sign_of_an_address_that_nobody_escaped(client: TestClient, ids: dict[str, int]) -> None:
    client.patch("/api/photos", json={"photos": [ids["red.png"]], "rating": 5})
    hits = client.get("/api/search?rating=4+").json()["hits"]
    assert [Path(hit["path"]).name for hit in hits] == ["red.png"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"photos": [1]}, 422),  # nothing to change
        ({"photos": [], "rating": 1}, 422),
        ({"photos": [1], "rating": 6}, 422),
        ({"photos": [1], "rating": 4, "album": "x"}, 422),
        ({"photos": [0], "rating": 4}, 422),
        ({"photos": [2**63], "rating": 4}, 422),
        ({"photos": list(range(1, 5002)), "rating": 4}, 422),
        ({"photos": [999], "rating": 4}, 200),
    ],
)
def test_marks_that_are_none(client: TestClient, body: dict[str, Any], status: int) -> None:
    answer = client.patch("/api/photos", json=body)
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["error"]


def test_other_sites_cannot_rate(client: TestClient) -> None:
    body = {"photos": [1], "rating": 1}
    assert (
        client.patch("/api/photos", json=body, headers={"Origin": "http://evil.example"}).status_code == 403
    )


# --- albums -----------------------------------------------------------------------------------------


def test_the_life_of_an_album(client: TestClient, ids: dict[str, int]) -> None:
    red, blue = ids["red.png"], ids["blue.png"]
    answer = client.post("/api/albums", json={"name": "Rome", "photos": [blue]})
    album = answer.json()
    assert (answer.status_code, album["name"], album["photos"], album["cover"]) == (201, "Rome", 1, blue)
    path = f"/api/albums/{album['id']}"
    assert client.post(f"{path}/photos", json={"photos": [red, 999]}).json()["photos"] == 2
    assert found(client, album="rome") == ["blue.png", "red.png"]
    assert get(client, f"/api/photos/{red}")["albums"] == [{"id": album["id"], "name": "Rome"}]
    assert client.request("DELETE", f"{path}/photos", json={"photos": [blue]}).json()["cover"] == red
    assert client.patch(path, json={"name": "Roma"}).json()["name"] == "Roma"
    assert [one["name"] for one in get(client, "/api/albums")["albums"]] == ["Roma"]
    assert client.delete(path).status_code == 204
    assert get(client, "/api/albums")["albums"] == []


def test_pages_of_photos_have_marks_and_take_albums(client: TestClient, ids: dict[str, int]) -> None:
    red, blue = ids["red.png"], ids["blue.png"]
    client.patch("/api/photos", json={"photos": [red], "rating": 3, "favourite": True})
    client.post("/api/albums", json={"name": "Rome", "photos": [red, blue]})
    items = get(client, "/api/photos", album="Rome")["photos"]
    marks = {item["photo"]: (item["rating"], item["favourite"]) for item in items}
    assert marks == {red: (3, True), blue: (None, False)}
    assert sorted(get(client, "/api/timeline", album="rome", rating="0")["ids"]) == [blue]
    assert client.get("/api/timeline", params={"album": "Rom"}).status_code == 400


def test_albums_that_are_not_there(client: TestClient, ids: dict[str, int]) -> None:
    client.post("/api/albums", json={"name": "Rome"})
    answer = client.get("/api/search", params={"album": "Rom"})
    assert (answer.status_code, answer.json()["error"]) == (400, "there is no album 'Rom'; there is Rome")
    assert client.get("/api/facets", params={"album": "Rom"}).status_code == 400
    some = {"photos": [ids["red.png"]]}
    for answer in (
        client.patch("/api/albums/9", json={"name": "x"}),
        client.delete("/api/albums/9"),
        client.post("/api/albums/9/photos", json=some),
        client.request("DELETE", "/api/albums/9/photos", json=some),
    ):
        assert answer.status_code == 404, answer.text
    for answer, status in (
        (client.post("/api/albums", json={"name": "ROME"}), 409),
        (client.post("/api/albums", json={"name": " "}), 400),
        (client.post("/api/albums", json={}), 422),
    ):
        assert answer.status_code == status, answer.text


# --- saved searches ---------------------------------------------------------------------------------


def test_the_life_of_a_saved_search(client: TestClient) -> None:
    answer = client.post("/api/searches", json={"name": "dogs", "query": "q=dog&after=2023"})
    assert (answer.status_code, answer.json()["query"]) == (201, "q=dog&after=2023")
    path = f"/api/searches/{answer.json()['id']}"
    assert client.patch(path, json={"query": "q=a+dog"}).json()["name"] == "dogs"
    assert [one["query"] for one in get(client, "/api/searches")["searches"]] == ["q=a+dog"]
    assert client.post("/api/searches", json={"name": "Dogs", "query": "q=x"}).status_code == 409
    assert client.post("/api/searches", json={"name": "cats", "query": " "}).status_code == 400
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
    assert client.patch(path, json={"name": "x"}).status_code == 404


# --- downloads --------------------------------------------------------------------------------------


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_download_has_the_files_as_they_are(client: TestClient, ids: dict[str, int], photos: Path) -> None:
    wanted = [ids["red.png"], ids["more/red.png"], ids["red.png"], 999]
    answer = client.post("/api/download", json={"photos": wanted})
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="photos-')
    whole = {
        "red.png": (photos / "red.png").read_bytes(),
        "red (2).png": (photos / "more/red.png").read_bytes(),
    }
    assert unzipped(answer.content) == whole
    form = client.post("/api/download", data={"photos": f"{ids['red.png']}, {ids['more/red.png']}"})
    assert unzipped(form.content) == whole


def test_a_download_names_what_it_leaves_out(client: TestClient, ids: dict[str, int], photos: Path) -> None:
    (photos / "green.png").unlink()
    shutil.copy(photos / "blue.png", photos / "red.png")  # not what was indexed
    answer = client.post(
        "/api/download", json={"photos": [ids["green.png"], ids["red.png"], ids["blue.png"]]}
    )
    files = unzipped(answer.content)
    text = files.pop("left-out.txt").decode()
    assert list(files) == ["blue.png"]
    assert text.splitlines() == [
        f"{photos / 'green.png'}: no such file",
        f"{photos / 'red.png'}: changed since it was indexed; run `index`",
    ]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"photos": [999]}', 404),
        ("application/json", b'{"photos": []}', 422),
        ("application/json", b"{", 400),
        ("application/json", b"[" * 50_000, 400),
        ("application/json", b"\xff", 400),
        ("application/x-www-form-urlencoded", b"photos=1,x", 422),
        ("application/x-www-form-urlencoded", b"", 422),
        ("text/plain", b"1", 415),
    ],
)
def test_downloads_that_cannot_be(client: TestClient, kind: str, body: bytes, status: int) -> None:
    answer = client.post("/api/download", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


def test_a_form_of_the_page_downloads_and_that_of_another_site_does_not(
    client: TestClient, ids: dict[str, int], library: Path, encoder: FakeEncoder
) -> None:
    body = f"photos={ids['red.png']}".encode()
    kind = "Content-Type: application/x-www-form-urlencoded"
    with serving(create_app(Settings(library), load=lambda model: encoder)) as port:
        # of a page with Referrer-Policy: no-referrer
        own = ("Origin: null", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate")
        reply = send(port, request("POST", "/api/download", kind, *own, body=body))
        assert (reply.status, list(unzipped(reply.body))) == (200, ["red.png"])
        other = ("Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
        assert send(port, request("POST", "/api/download", kind, *other, body=body)).status == 403


def test_a_download_holds_a_piece_at_a_time_and_ends_when_it_is_left(
    client: TestClient, ids: dict[str, int], library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    with (photos / "red.png").open("ab") as file:
        file.write(bytes(3_000_000))  # after the end of the picture
    update_library(library, [photos], encoder)
    with closing(CatalogReader.open(library)) as reader:
        files = photo_files(reader, [ids["red.png"], ids["blue.png"]])
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else None
    pieces = zip_pieces(files, ProvenFiles())
    assert all(len(next(pieces)) < 300_000 for _ in range(5))
    pieces.close()
    if before is not None:
        assert len(list(descriptors.iterdir())) == before


def test_a_photo_that_shrinks_on_the_way_is_told(
    client: TestClient, ids: dict[str, int], library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    with (photos / "red.png").open("ab") as file:
        file.write(bytes(3_000_000))
    update_library(library, [photos], encoder)
    with closing(CatalogReader.open(library)) as reader:
        files = photo_files(reader, [ids["red.png"]])
    pieces = zip_pieces(files, ProvenFiles())
    data = next(pieces)
    os.truncate(photos / "red.png", 1_000_000)
    inside = unzipped(data + b"".join(pieces))
    assert len(inside["red.png"]) == 1_000_000
    assert inside["left-out.txt"].decode() == f"{photos / 'red.png'}: cut short (the file became shorter)\n"
