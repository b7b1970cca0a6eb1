"""All photos over HTTP: the timeline, and pages by cursor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.photo_rows import at, fill
from twobranch.indexer.catalog.connection import connect
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.server.api.timeline import PhotosAnswer, TimelineAnswer
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

DAYS = [  # of photos 1 to 6
    datetime(2023, 11, 28),
    datetime(2021, 11, 28, 12),
    datetime(2023, 6, 1),
    datetime(2023, 6, 1),
    datetime(2022, 1, 1),
    datetime(2023, 11, 27),
]
NEWEST_FIRST = [1, 6, 3, 4, 5, 2]


@pytest.fixture
def client(library: Path) -> Iterator[TestClient]:
    fill(library, [at(f"a/{n}.jpg", taken_at=day, size=n) for n, day in enumerate(DAYS, start=1)])
    with TestClient(create_app(Settings(library)), "http://127.0.0.1") as client:
        yield client


def timeline(client: TestClient, **parameters: Any) -> dict[str, Any]:
    response = client.get("/api/timeline", params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert TimelineAnswer.model_validate(answer).model_dump() == answer
    return answer


def photos(client: TestClient, **parameters: Any) -> dict[str, Any]:
    response = client.get("/api/photos", params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert PhotosAnswer.model_validate(answer).model_dump() == answer
    return answer


def ids(answer: dict[str, Any]) -> list[int]:
    return [photo["photo"] for photo in answer["photos"]]


def pages(client: TestClient, **parameters: Any) -> Iterator[dict[str, Any]]:
    answer = photos(client, **parameters)
    yield answer
    while answer["next"] is not None:
        answer = photos(client, cursor=answer["next"], **parameters)
        yield answer


def remove(library: Path, photo: int) -> None:
    with closing(connect(library / "catalog.sqlite")) as connection:
        connection.execute("DELETE FROM images WHERE id = ?", [photo])


def test_the_whole_library_under_months(client: TestClient) -> None:
    answer = timeline(client)
    assert (answer["sort"], answer["order"], answer["photos"]) == ("date", "desc", 6)
    assert answer["ids"] == NEWEST_FIRST
    assert answer["ratios"] == [133] * 6  # 4 x 3
    assert answer["sections"] == [
        {"key": "2023-11", "photos": 2},
        {"key": "2023-06", "photos": 2},
        {"key": "2022-01", "photos": 1},
        {"key": "2021-11", "photos": 1},
    ]
    assert timeline(client, order="asc")["ids"] == [2, 5, 3, 4, 6, 1]
    assert timeline(client, sort="folder")["sections"] == [{"key": "/photos/a", "photos": 6}]
    assert timeline(client, sort="folder")["order"] == "asc"
    assert timeline(client, sort="size")["ids"] == [6, 5, 4, 3, 2, 1]


def test_a_day_of_any_year(client: TestClient) -> None:
    assert timeline(client, day="11-28")["ids"] == [1, 2]
    assert ids(photos(client, day="6-1")) == [3, 4]
    response = client.get("/api/timeline", params={"day": "02-30"})
    assert response.status_code == 400
    assert response.json() == {"error": "'02-30' is no day of the year; write month and day, such as 11-28"}


def test_a_timeline_that_the_browser_has_is_not_sent_again(client: TestClient, library: Path) -> None:
    first = client.get("/api/timeline")
    assert first.headers["cache-control"] == "private, no-cache"
    known = {"If-None-Match": first.headers["etag"]}
    again = client.get("/api/timeline", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/timeline?sort=size", headers=known).status_code == 200
    remove(library, 3)
    changed = client.get("/api/timeline", headers=known)
    assert changed.json()["ids"] == [1, 6, 4, 5, 2]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 500])
def test_pages_are_the_whole_order(client: TestClient, limit: int) -> None:
    for wanted in ({}, {"sort": "folder"}, {"sort": "size", "order": "asc"}, {"path": "a", "after": "2022"}):
        walked = list(pages(client, limit=limit, **wanted))
        assert [id_ for page in walked for id_ in ids(page)] == timeline(client, **wanted)["ids"]
        assert {page["total"] for page in walked} == {timeline(client, **wanted)["photos"]}


def test_a_page_goes_on_where_it_was_though_photos_have_left(client: TestClient, library: Path) -> None:
    first = photos(client, limit=3)
    assert ids(first) == [1, 6, 3]
    for photo in (1, 3, 5):  # the last one of the page is gone as well
        remove(library, photo)
    second = photos(client, limit=3, cursor=first["next"])
    assert (ids(second), second["next"], second["total"]) == ([4, 2], None, 3)


def test_the_facts_of_photos_by_their_ids(client: TestClient) -> None:
    answer = photos(client, id=[5, 99, 1])
    assert (ids(answer), answer["next"], answer["total"]) == ([5, 1], None, 2)
    assert answer["photos"][1] == {
        "photo": 1,
        "path": "/photos/a/1.jpg",
        "date": "2023-11-28T00:00:00",
        "date_from": "photo",
        "width": 4,
        "height": 3,
        "content": None,
        "bytes": 1,
        "rating": None,
        "favourite": False,
        "place": None,
    }
    assert client.get("/api/photos?id=1&sort=size").status_code == 400
    assert client.get("/api/photos?" + "id=1&" * 501).status_code == 422


def test_cursors_that_mean_nothing_here_are_refused(client: TestClient) -> None:
    cursor = photos(client, limit=2)["next"]
    others = ({"sort": "size"}, {"order": "asc"}, {"path": "a"}, {"near": "1,2", "within": "5km"})
    wrong = [{**other, "cursor": cursor} for other in others]
    for parameters in (*wrong, {"cursor": "é"}, {"cursor": ""}, {"cursor": "W10"}, {"cursor": cursor[:-4]}):
        response = client.get("/api/photos", params=parameters)
        assert response.status_code == 400, parameters
        assert "begin again without `cursor`" in response.json()["error"]
    # the size of a page, and an order that is the same when it is named, are no other list
    assert ids(photos(client, cursor=cursor, limit=1, order="desc")) == [NEWEST_FIRST[2]]


def test_a_library_without_photos_has_an_empty_timeline(library: Path) -> None:
    fill(library, [])
    with TestClient(create_app(Settings(library)), "http://127.0.0.1") as client:
        assert timeline(client)["ids"] == timeline(client, sort="folder")["sections"] == []
        assert photos(client) == {"photos": [], "next": None, "total": 0}


def test_an_order_is_read_once_for_each_state_of_the_catalogue(
    library: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twobranch.server.work import browsing_reader

    read: list[str] = []
    real = browsing_reader.photo_order

    def counted(reader: CatalogReader, *wanted: Any) -> Any:
        read.append(wanted[1])
        return real(reader, *wanted)

    monkeypatch.setattr(browsing_reader, "photo_order", counted)
    with closing(browsing_reader.BrowsingReader.open(library)) as reader:
        for sort in ("date", "size", "date"):
            with reader.order(browsing_reader.Filters(), sort, True) as order:
                assert len(order) == 6
        remove(library, 1)
        with reader.order(browsing_reader.Filters(), "date", True) as order:
            assert len(order) == 5
    assert read == ["date", "size", "date"]
