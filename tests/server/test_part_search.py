"""More like a part of a photo: the part as a query, and as a picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw
from starlette.testclient import TestClient

from tests.calibrations import calibrated, line
from tests.fakes import FakeEncoder
from tests.indexing import images
from tests.server.serving import form
from twobranch.indexer.update.library import update_library
from twobranch.server.api.search import SearchAnswer
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

TOP, BELOW = "0,0,40,20", "0,30,40,80"


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path) -> Iterator[TestClient]:
    """Over flag.png, stored lying: upright it has 40 x 80 pixels, the upper quarter red, the rest blue."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # "turn me 90° clockwise"
    flag = Image.new("RGB", (80, 40), "blue")
    ImageDraw.Draw(flag).rectangle((0, 0, 19, 39), fill="red")
    flag.save(photos / "flag.png", exif=exif)
    encoder.folder = tmp_path / "model"
    encoder.folder.mkdir()
    calibrated(line(), ["image_to_images"]).save(encoder.folder)
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def id_of(library: Path, name: str = "flag.png") -> int:
    return images(library)[f"photos/{name}"].id


def names(client: TestClient, **parameters: Any) -> list[str]:
    return [Path(hit["path"]).name for hit in answer_of(client, **parameters)["hits"]]


def answer_of(client: TestClient, **parameters: Any) -> dict[str, Any]:
    """The answer, which is as the OpenAPI description says."""
    response = client.get("/api/search", params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert SearchAnswer.model_validate(answer).model_dump(mode="json", by_alias=True) == answer
    return answer


def test_a_part_is_searched_for_as_a_photo_of_its_own(client: TestClient, library: Path) -> None:
    flag = id_of(library)
    for box, first in ((TOP, "red.png"), (BELOW, "blue.png")):
        answer = answer_of(client, like=flag, box=box)
        hit = answer["hits"][0]
        assert (Path(hit["path"]).name, hit["score"]) == (first, pytest.approx(1, abs=1e-3))
        assert hit["confidence"] is not None and hit["tier"] == "likely"  # as for photo queries
        assert answer["part"] == {"photo": flag, "name": "flag.png", "box": [int(n) for n in box.split(",")]}
        assert len(answer["hits"]) == 3  # the photo itself is not among them


def test_the_box_is_of_the_first_photo_and_the_rest_is_feedback(client: TestClient, library: Path) -> None:
    flag, green = id_of(library), id_of(library, "green.png")
    answer = answer_of(client, like=[flag, green], box=TOP)
    # red + 0.3 green, normalised: cos = 1 / sqrt(1.09) = 0.958 with red, 0.287 with green, 0 with blue.
    scores = {Path(hit["path"]).name: hit["score"] for hit in answer["hits"]}
    assert scores == pytest.approx({"red.png": 0.958, "green.png": 0.287, "blue.png": 0}, abs=2e-3)
    # red + green - blue: nothing is further away than blue.png.
    assert names(client, like=flag, box=TOP, q="green - blue")[-1] == "blue.png"


def test_what_was_cut_is_kept(client: TestClient, library: Path, encoder: FakeEncoder) -> None:
    flag = id_of(library)
    answer_of(client, like=flag, box=TOP)
    encoded = encoder.encoded_images
    assert names(client, like=flag, box=TOP, top=1) == ["red.png"]
    client.get(f"/api/photos/{flag}/part", params={"box": TOP})
    assert encoder.encoded_images == encoded


def test_a_picture_of_the_part(client: TestClient, library: Path) -> None:
    url = f"/api/photos/{id_of(library)}/part"
    response = client.get(url, params={"box": TOP})
    assert (response.status_code, response.headers["content-type"]) == (200, "image/webp")
    image = Image.open(io.BytesIO(response.content))
    assert image.size == (40, 20)
    red, _, blue = np.asarray(image).reshape(-1, 3).mean(axis=0)
    assert red > 230 and blue < 20
    again = client.get(url, params={"box": TOP}, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "private, no-cache")


@pytest.mark.parametrize(
    ("box", "status", "problem"),
    [
        ("0,0,41,20", 400, "is not inside its 40 x 80 pixels"),
        ("0,0,40,81", 400, "is not inside its 40 x 80 pixels"),
        ("0,0,7,20", 400, "is too small; draw one of 8 x 8 pixels or more"),
        ("20,20,10,40", 400, "is too small"),
        ("0,0,40", 422, "box: write left,top,right,bottom in pixels"),
        ("-1,0,40,20", 422, "box: write left,top,right,bottom in pixels"),
        ("0,0,40,1e1", 422, "box: write left,top,right,bottom in pixels"),
        ("0,0,40,9999999", 422, "box: write left,top,right,bottom in pixels"),
    ],
)
def test_boxes_that_are_none(client: TestClient, library: Path, box: str, status: int, problem: str) -> None:
    flag = id_of(library)
    for url, parameters in (("/api/search", {"like": flag}), (f"/api/photos/{flag}/part", {})):
        response = client.get(url, params={**parameters, "box": box})
        assert (response.status_code, problem in response.json()["error"]) == (status, True), response.text


def test_a_box_needs_a_photo(client: TestClient) -> None:
    response = client.get("/api/search", params={"q": "red", "box": TOP})
    assert (response.status_code, "`like` says of which" in response.json()["error"]) == (422, True)


def test_a_photo_that_is_gone_or_another(client: TestClient, library: Path, photos: Path) -> None:
    flag = id_of(library)
    assert client.get("/api/search", params={"like": 99, "box": TOP}).status_code == 404
    Image.new("RGB", (90, 80), "green").save(photos / "flag.png")
    for url in (f"/api/search?like={flag}&box={TOP}", f"/api/photos/{flag}/part?box={TOP}"):
        response = client.get(url)
        assert (response.status_code, "changed" in response.json()["error"]) == (404, True)
    (photos / "flag.png").unlink()
    response = client.get("/api/search", params={"like": flag, "box": TOP})
    assert (response.status_code, "no such file" in response.json()["error"]) == (404, True)


def test_a_part_beside_an_uploaded_picture(client: TestClient, library: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (0, 255, 0)).save(file, "PNG")
    header, body = form(file.getvalue())
    headers = dict([header.split(": ", 1)])
    url = f"/api/search?like={id_of(library)}&box={TOP}"
    answer = client.post(url, content=body, headers=headers).json()
    # The sum of green and red: both at 0.71, before blue.
    assert {Path(hit["path"]).name for hit in answer["hits"][:2]} == {"red.png", "green.png"}
    assert answer["part"]["name"] == "flag.png"
