"""Where in a photo a phrase is, over HTTP: boxes, heat, and a picture to lay over the photo."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw
from starlette.testclient import TestClient

from tests.fakes import Bilingual, FakeEncoder
from tests.indexing import images
from tests.server.serving import receive, request, serving
from tests.waiting import PATIENCE, wait_for
from twobranch.indexer.update.library import update_library
from twobranch.server.api.where import WhereAnswer
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


def half_red(path: Path) -> None:
    """Stored lying, 120 x 80, its left quarter red. Orientation 6 turns it: 80 x 120, the top is red."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo = Image.new("RGB", (120, 80), "blue")
    ImageDraw.Draw(photo).rectangle((0, 0, 29, 79), fill="red")
    photo.save(path, exif=exif)


@pytest.fixture
def seeing() -> FakeEncoder:
    """An encoder with cells."""
    return Bilingual()


@pytest.fixture
def client(library: Path, photos: Path, seeing: FakeEncoder) -> Iterator[TestClient]:
    """Over flag.png, which is red on top and blue below, beside photos of one colour."""
    half_red(photos / "flag.png")
    update_library(library, [photos], seeing)
    with TestClient(create_app(Settings(library), load=lambda model: seeing), "http://127.0.0.1") as client:
        yield client


def url_of(library: Path, name: str = "flag.png") -> str:
    return f"/api/photos/{images(library)[f'photos/{name}'].id}/where"


def located(client: TestClient, url: str, **parameters: Any) -> dict[str, Any]:
    """The answer, which is as the OpenAPI description says."""
    response = client.get(url, params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert WhereAnswer.model_validate(answer).model_dump(mode="json") == answer
    return answer


def test_boxes_are_in_pixels_of_the_upright_photo(client: TestClient, library: Path) -> None:
    answer = located(client, url_of(library), q=["red", "green"])
    assert (answer["photo"], answer["width"], answer["height"]) == (
        images(library)["photos/flag.png"].id,
        80,
        120,
    )
    red, green = answer["phrases"]
    assert (red["phrase"], red["heat"]) == ("red", [[1.0] * 4] + [[0.0] * 4] * 3)  # the top row of 4 x 4
    (region,) = red["regions"]
    left, top, right, bottom = region["box"]
    assert (left, top, right) == (0, 0, 80) and abs(bottom - 30) <= 8  # a quarter of 120
    assert region["score"] == red["score"] > 0.99 and region["confidence"] == red["confidence"] > 0.99
    assert (green["phrase"], green["regions"]) == ("green", [])  # nothing there fits


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_an_overlay_is_transparent_where_it_is_cold(client: TestClient, library: Path, kind: str) -> None:
    response = client.get(url_of(library), params={"q": "red", "format": kind})
    assert response.headers["content-type"] == f"image/{kind}"
    image = Image.open(io.BytesIO(response.content))
    assert (image.format, image.mode) == (kind.upper(), "RGBA")
    assert image.size == (427, 640)  # 80 x 120, at 640 on the longer side
    opacity = np.asarray(image)[:, :, 3]
    assert opacity[:40].min() > 150 and opacity[400:].max() == 0


def test_browsers_get_a_picture_and_programs_json(client: TestClient, library: Path) -> None:
    url = url_of(library)
    for accept, kind in [
        ("image/avif,image/webp,image/png,*/*;q=0.8", "image/webp"),  # as Chromium asks for an <img>
        ("image/png", "image/png"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
    ]:
        response = client.get(url, params={"q": "red"}, headers={"Accept": accept})
        assert (response.headers["content-type"], response.headers["vary"]) == (kind, "Accept")


def test_an_answer_is_kept_until_the_file_or_the_library_changes(
    client: TestClient, library: Path, photos: Path, seeing: FakeEncoder
) -> None:
    url = url_of(library)
    first = client.get(url, params={"q": "red"})
    encoded = seeing.encoded_texts
    again = client.get(url, params={"q": "red"}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, seeing.encoded_texts) == (304, b"", encoded)
    assert again.headers["cache-control"] == "private, no-cache"
    # The overlay comes from the same maps.
    assert client.get(url, params={"q": "red", "format": "webp"}).status_code == 200
    assert seeing.encoded_texts == encoded
    Image.new("RGB", (90, 80), "green").save(photos / "flag.png")
    changed = client.get(url, params={"q": "red"})
    assert (changed.status_code, "changed" in changed.json()["error"]) == (404, True)
    update_library(library, [photos], seeing)
    answer = located(client, url, q="red")
    assert (answer["width"], answer["phrases"][0]["regions"]) == (90, [])


def test_words_are_read_in_a_language(client: TestClient, library: Path) -> None:
    assert located(client, url_of(library), q="rot", language="de")["phrases"][0]["regions"]
    for phrase, language, problem in [("rot", "xx", "no such language"), ("xyzzy", "de", "knows no word")]:
        response = client.get(url_of(library), params={"q": phrase, "language": language})
        assert (response.status_code, problem in response.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "q: Field required"),
        ({"q": " "}, "an empty phrase"),
        ({"q": ["red"] * 9}, "at most 8 items"),
        ({"q": "r" * 2001}, "at most 2000 characters"),
        ({"q": "red", "format": "gif"}, "'json', 'png' or 'webp'"),
        ({"q": "red", "size": 100}, "size: Extra inputs"),
    ],
)
def test_what_cannot_be_asked(
    client: TestClient, library: Path, parameters: dict[str, Any], problem: str
) -> None:
    response = client.get(url_of(library), params=parameters)
    assert (response.status_code, problem in response.json()["error"]) == (422, True), response.text


def test_a_photo_that_is_not_there_or_damaged(
    client: TestClient, library: Path, photos: Path, seeing: FakeEncoder
) -> None:
    response = client.get("/api/photos/99/where", params={"q": "red"})
    assert (response.status_code, response.json()["error"].split(";")[0]) == (404, "there is no photo 99")
    (photos / "torn.png").write_bytes((photos / "flag.png").read_bytes()[:60])
    update_library(library, [photos], seeing)
    response = client.get(url_of(library, "torn.png"), params={"q": "red"})
    assert (response.status_code, "torn.png: not a photo" in response.json()["error"]) == (404, True)


def test_a_model_without_cells_says_so(client: TestClient, library: Path, seeing: FakeEncoder) -> None:
    assert client.get("/api/status").json()["has_cells"] is True
    seeing.has_cells = False
    response = client.get(url_of(library), params={"q": "red"})
    assert response.status_code == 409
    assert response.json()["error"].startswith("fake: this model gives no cells, so it cannot tell where")
    assert client.get("/api/status").json()["has_cells"] is False


def test_it_needs_the_token(client: TestClient, library: Path, seeing: FakeEncoder) -> None:
    app = create_app(Settings(library, token="sesame-sesame"), load=lambda model: seeing)
    with TestClient(app, "http://127.0.0.1") as guarded:
        for what in ("where?q=red", "part?box=0,0,8,8"):
            url = url_of(library).replace("where", what)
            assert guarded.get(url).status_code == 401
            assert guarded.get(url, headers={"Authorization": "Bearer sesame-sesame"}).status_code == 200


def test_a_browser_that_leaves_takes_back_what_it_asked_for(
    client: TestClient, library: Path, seeing: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, asked = Event(), Event(), []

    def slow(texts: list[str], language: str | None = None) -> Any:
        asked.extend(texts)
        begun.set()
        assert go_on.wait(PATIENCE)
        return FakeEncoder.encode_texts(seeing, texts)

    monkeypatch.setattr(seeing, "encode_texts", slow)
    app = create_app(Settings(library), load=lambda model: seeing)
    with serving(app) as port:
        first, left, search = (socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(3))
        with first, left, search:
            first.sendall(request("GET", f"{url_of(library)}?q=red"))
            assert begun.wait(PATIENCE)
            left.sendall(request("GET", f"{url_of(library)}?q=green"))
            waiting = app.state.shared.locators._threads._work_queue
            wait_for(lambda: waiting.qsize() == 1)
            left.close()
            search.sendall(request("GET", "/api/search"))  # slow maps do not hold up searches
            assert receive(search).status == 200
            counts = app.state.stats.requests
            wait_for(lambda: any(status == 499 for (_, _, status) in counts))
            go_on.set()
            assert receive(first).status == 200
    assert asked == ["red"]


def test_a_search_says_what_can_be_asked_for(client: TestClient) -> None:
    def phrases(**parameters: Any) -> Any:
        return client.get("/api/search", params=parameters).json()["phrases"]

    assert phrases(q="the red and the blue") == [{"text": "the red and the blue", "words": ["red", "blue"]}]
    assert phrases(q="red near blue")[0]["words"] == ["red", "blue"]
    assert phrases(q="Red") == [{"text": "Red", "words": []}]  # the word is all there is
    assert phrases(q="red + blue - green") == [{"text": "red", "words": []}, {"text": "blue", "words": []}]
    assert phrases(q="red xyzzy")[0]["words"] == ["red"]  # the other means nothing to the model
    assert phrases() == phrases(like=1) == []
