"""Searching over HTTP gives what the engine gives, for as long as the catalogue stays as it is."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.engine import SearchEngine
from twobranch.server.api.cursors import write_cursor
from twobranch.server.api.search import SearchAnswer, SearchParameters
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path) -> Iterator[TestClient]:
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\tcaption\nred.png\ta red thing\nblue.png\tblue\n")
    update_library(library, [photos], encoder, captions=captions)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def search(client: TestClient, **parameters: Any) -> dict[str, Any]:
    """The answer, which is as the OpenAPI description says."""
    response = client.get("/api/search", params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert SearchAnswer.model_validate(answer).model_dump(by_alias=True) == answer  # no more and no less
    return answer


def names(answer: dict[str, Any]) -> list[str]:
    return [Path(hit["path"]).name for hit in answer["hits"]]


def png(color: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(file, "PNG")
    return file.getvalue()


def test_hits_are_those_of_the_engine(client: TestClient, library: Path, encoder: FakeEncoder) -> None:
    answer = search(client, q="red", top=2)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        assert answer["hits"] == [hit.as_json() for hit in engine.search("red", top=2, collapse=True)]
    assert (answer["query"], answer["in"], answer["gallery"]) == ("red", "images", 3)


def test_without_a_query_the_newest_photos(client: TestClient) -> None:
    answer = search(client)
    assert sorted(names(answer)) == ["blue.png", "green.png", "red.png"]
    assert (answer["matches_well"], answer["n_matching"]) == (None, None)


def test_captions(client: TestClient) -> None:
    hits = search(client, q="blue", **{"in": "captions"})["hits"]
    assert [hit["caption"] for hit in hits] == ["blue", "a red thing"]


def test_filters(client: TestClient) -> None:
    assert names(search(client, q="red", path="blue*")) == ["blue.png"]
    assert names(search(client, shape="portrait")) == []
    response = client.get("/api/search", params={"after": "soon"})
    assert (response.status_code, "is no date" in response.json()["error"]) == (400, True)


def test_pages_go_on_by_cursor(client: TestClient) -> None:
    whole = search(client, q="red")
    assert whole["next"] is None
    walked, cursor = [], None
    for _ in range(3):
        answer = search(client, q="red", top=1, **({} if cursor is None else {"cursor": cursor}))
        walked += answer["hits"]
        cursor = answer["next"]
    assert (walked, cursor) == (whole["hits"], None)
    # the newest photos, too, and captions
    first = search(client, top=2)
    assert names(first) + names(search(client, top=2, cursor=first["next"])) == names(search(client))
    first = search(client, q="blue", top=1, **{"in": "captions"})
    second = search(client, q="blue", top=1, cursor=first["next"], **{"in": "captions"})
    assert [hit["caption"] for hit in (*first["hits"], *second["hits"])] == ["blue", "a red thing"]


def test_a_cursor_of_another_search_is_refused(client: TestClient) -> None:
    cursor = search(client, q="red", top=1)["next"]
    forged = write_cursor(SearchParameters(q="blue").list_name, [2, None, None, "o", "2020", 1])
    for parameters in (
        {"q": "blue", "cursor": cursor},
        {"q": "red", "path": "x", "cursor": cursor},
        {"cursor": "x"},
    ):
        response = client.get("/api/search", params=parameters)
        assert (response.status_code, "begin again" in response.json()["error"]) == (400, True)
    response = client.get("/api/search", params={"q": "blue", "cursor": forged})
    assert response.status_code == 400
    assert response.json() == {"error": "this page is not one of the best hits; search anew"}


def test_orders_of_hits(client: TestClient) -> None:
    # without a confidence the best are sorted; all PNG files are of one folder
    assert names(search(client, q="red", sort="folder")) == ["blue.png", "green.png", "red.png"]
    assert names(search(client, sort="folder")) == ["blue.png", "green.png", "red.png"]
    assert names(search(client, sort="folder", top=1)) == ["blue.png"]


def test_photos_that_pass_the_filters_are_counted(client: TestClient) -> None:
    answer = search(client, q="red", path="blue*")
    assert (answer["passing"], answer["gallery"]) == (1, 3)
    assert search(client)["passing"] == 3


def test_words_for_dates(client: TestClient, photos: Path) -> None:
    written = datetime.fromtimestamp((photos / "red.png").stat().st_mtime)
    answer = search(client, q=f"blue {written.year}")
    assert (answer["query"], len(answer["hits"])) == ("blue", 3)
    assert answer["dates"] == {
        "words": str(written.year),
        "after": f"{written.year}-01-01",
        "before": f"{written.year + 1}-01-01",
        "yearly": None,
        "used": True,
    }
    assert {hit["date_from"] for hit in answer["hits"]} == {"file"}
    as_words = search(client, q=f"blue {written.year}", dates="false")
    assert (as_words["query"], as_words["dates"]) == (f"blue {written.year}", None)
    every = search(client, q="blue in january")["dates"]
    assert (every["after"], every["yearly"]) == (None, ["01-01", "02-01"])


def test_yesterday_is_another_day_tomorrow(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are kept until the next commit, but not beyond midnight."""

    class Day(date):
        number = 10

        @classmethod
        def today(cls) -> Day:
            return cls(2024, 5, cls.number)

    for module in ("server.api.search", "retrieval.engine"):
        monkeypatch.setattr(f"twobranch.{module}.date", Day)
    assert search(client, q="red yesterday")["dates"]["after"] == "2024-05-09"
    Day.number = 11
    assert search(client, q="red yesterday")["dates"]["after"] == "2024-05-10"


def test_arithmetic_and_photos_that_are_liked(client: TestClient) -> None:
    red, green, blue = (
        search(client, q=color, top=1)["hits"][0]["photo"] for color in ("red", "green", "blue")
    )
    assert names(search(client, q="red + green - blue", top=2)) in (
        ["red.png", "green.png"],
        ["green.png", "red.png"],
    )
    assert names(search(client, like=green))[0] == "green.png"
    assert names(search(client, q="red blue", like=blue, unlike=red))[0] == "blue.png"
    assert client.get("/api/search", params={"unlike": red}).status_code == 400  # it would only lead away
    assert client.get("/api/search", params={"like": 99}).status_code == 404


def test_a_path_is_words_and_no_file_is_read(client: TestClient, photos: Path) -> None:
    response = client.get("/api/search", params={"q": str(photos / "red.png")})
    assert response.status_code == 400
    assert "knows no word" in response.json()["error"]


def test_an_address_is_refused(client: TestClient) -> None:
    response = client.get("/api/search", params={"q": "https://example.com/red.png"})
    assert response.status_code == 400
    assert response.json()["error"] == (
        "https://example.com/red.png: is an address; download the picture and search for the file"
    )


def test_a_picture_is_handed_in_and_kept(client: TestClient) -> None:
    response = client.post("/api/search", params={"top": 1}, files={"file": ("mine.png", png("blue"))})
    assert names(response.json()) == ["blue.png"]
    picture = response.json()["picture"]
    assert names(search(client, picture=picture, top=1)) == ["blue.png"]
    # red + blue: both photos score 1 / sqrt(2) with it, green.png 0
    assert sorted(names(search(client, picture=picture, q="red", top=2))) == ["blue.png", "red.png"]
    assert client.get("/api/search", params={"picture": "0" * 32}).status_code == 404


def test_what_is_no_picture(client: TestClient) -> None:
    response = client.post("/api/search", files={"file": ("mine.png", b"not a picture")})
    assert response.status_code == 400
    assert "not an image" in response.json()["error"]


def test_new_photos_are_found_without_a_restart(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    assert search(client, q="red")["gallery"] == 3
    encoded = encoder.encoded_texts
    assert search(client, q="red")["gallery"] == 3
    assert encoder.encoded_texts == encoded  # answered from memory
    write_photo(photos / "rose.png", (200, 0, 0))
    update_library(library, [photos], encoder)
    assert search(client, q="red")["gallery"] == 4


def test_mistyped_words_are_put_right_unless_that_is_not_wanted(client: TestClient) -> None:
    answer = search(client, q="red motorcylce")
    assert answer["query"] == "red motorcycle"
    assert answer["corrections"] == [{"word": "motorcylce", "known": ["motorcycle"], "used": True}]
    kept = search(client, q="red motorcylce", correct=False)
    assert (kept["query"], kept["corrections"][0]["used"]) == ("red motorcylce", False)
    assert kept["unknown_words"] == ["motorcylce"]


@pytest.mark.parametrize("parameters", [{"top": 0}, {"top": 10**9}, {"in": "videos"}, {"nonsense": 1}])
def test_parameters_that_there_are_not(client: TestClient, parameters: dict[str, Any]) -> None:
    response = client.get("/api/search", params=parameters)
    assert response.status_code == 422
    assert next(iter(parameters)) in response.json()["error"]


def test_names_that_are_not_utf_8(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "caf\udce9.png", (250, 0, 0))
    update_library(library, [photos], encoder)
    assert "caf?.png" in names(search(client, q="red", fold=False))


def test_a_library_without_photos(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    (tmp_path / "empty").mkdir()
    update_library(library, [tmp_path / "empty"], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        answer = search(client, q="red")
    assert (answer["hits"], answer["gallery"], answer["matches_well"]) == ([], 0, None)
