"""The map over HTTP, and places of photos and hits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from tests.indexer.test_exif import PARIS, exif
from twobranch.indexer.update.library import update_library
from twobranch.server.api.map import MapAnswer
from twobranch.server.api.photos import PhotoAnswer
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    """Two photos at the Eiffel Tower, and those of the fixture, which are nowhere."""
    for name in ("one.jpg", "two.jpg"):
        write_photo(photos / name, "red", exif=exif(place=PARIS))
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def photo_map(client: TestClient, **parameters: Any) -> dict[str, Any]:
    """The answer, which is as the OpenAPI description says."""
    response = client.get("/api/map", params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert json.loads(MapAnswer.model_validate(answer).model_dump_json()) == answer
    return answer


def ids(client: TestClient) -> dict[str, int]:
    hits = client.get("/api/search", params={"fold": False}).json()["hits"]
    return {Path(hit["path"]).name: hit["photo"] for hit in hits}


def test_photos_at_one_place_are_one_point(client: TestClient) -> None:
    answer = photo_map(client)
    assert answer["photos"] == 2
    ((latitude, longitude, n, photo, content, town, km),) = answer["points"]
    # 48 + 51/60 + 30/3600 and 2 + 17/60 + 42/3600, to a tenth of a metre
    assert (latitude, longitude, n, town, km) == (48.858333, 2.295, 2, "Paris, France", 0)
    assert photo == max(ids(client)["one.jpg"], ids(client)["two.jpg"])
    # The thumbnail may be kept for a year by this name of its content.
    thumbnail = client.get(f"/api/photos/{photo}/thumbnail", params={"v": content})
    assert "immutable" in thumbnail.headers["cache-control"]
    assert answer["bounds"] == pytest.approx([48.858333, 2.295, 48.858333, 2.295], abs=1e-6)


def test_filters_zoom_and_bounds(client: TestClient) -> None:
    assert photo_map(client, path="one.jpg", zoom=18)["photos"] == 1
    assert photo_map(client, path="red.png") == {
        "photos": 0,
        "bounds": None,
        "points": [],
        "towns": [],
    }
    elsewhere = photo_map(client, bounds="-20,170,0,-170")
    assert (elsewhere["photos"], elsewhere["points"]) == (2, [])
    assert photo_map(client, place="Paris, France")["photos"] == 2
    assert photo_map(client, near="Paris", within="5km")["photos"] == 2
    assert photo_map(client, near="Lyon")["photos"] == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"bounds": "1,2,3"}, "'1,2,3' are no bounds; write south,west,north,east in degrees"),
        ({"bounds": "50,0,40,5"}, "south is not above north"),
        ({"bounds": "nan,0,40,5"}, "south is not above north"),
        ({"bounds": "0,0,1,inf"}, "south is not above north"),
        ({"place": "Pariss"}, "no place of this name is known; did you mean Paris"),
        ({"near": "Pariss"}, "no place of this name is known; did you mean Paris"),
        ({"album": "none"}, "none"),
    ],
)
def test_what_is_wrong_is_one_line(client: TestClient, parameters: dict[str, str], message: str) -> None:
    response = client.get("/api/map", params=parameters)
    assert response.status_code in (400, 404)
    assert message in response.text
    assert client.get("/api/map", params={"zoom": 19}).status_code == 422


def test_new_photos_are_on_the_map(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    assert photo_map(client)["photos"] == 2
    write_photo(photos / "three.jpg", "blue", exif=exif(place=PARIS))
    update_library(library, [photos], encoder)
    assert photo_map(client)["photos"] == 3


def test_a_photo_and_a_hit_say_their_town(client: TestClient) -> None:
    photo = client.get(f"/api/photos/{ids(client)['one.jpg']}").json()
    PhotoAnswer.model_validate(photo)
    assert photo["place"] == {
        "name": "Paris",
        "region": "Île-de-France",
        "country": "France",
        "km": 4.0,  # from Notre-Dame
        "label": "Paris, France",
    }
    assert client.get(f"/api/photos/{ids(client)['red.png']}").json()["place"] is None
    hits = client.get("/api/search", params={"fold": False}).json()["hits"]
    places = {Path(hit["path"]).name: hit["place"] for hit in hits}
    assert places["one.jpg"] == "Paris, France"
    assert places["red.png"] is None
    listed = client.get("/api/photos").json()["photos"]
    assert {Path(item["path"]).name: item["place"] for item in listed} == places
