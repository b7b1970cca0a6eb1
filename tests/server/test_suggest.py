"""Suggestions while typing: folders, months, cameras and words, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.suggest import key_of
from twobranch.server.api.suggest import Suggestions
from twobranch.server.app import create_app
from twobranch.server.settings import Settings
from twobranch.server.work import suggester

TAKEN = 0x9003  # EXIF's date of the picture
MODEL = 0x0110


def photo(path: Path, date: str, camera: str = "", color: tuple[int, int, int] = (200, 0, 0)) -> None:
    """A photo with a date such as 2021:06:05."""
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(0x8769)[TAKEN] = f"{date} 12:00:00"
    if camera:
        exif[MODEL] = camera
    write_photo(path, color, exif=exif)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight photos: holidays of two years, a party, bicycles by name; two cameras."""
    photos = tmp_path / "My Photos"
    names = {
        "holiday/2021/beach.jpg": ("2021:06:05", "Pixel 7"),
        "holiday/2021/bicycle.jpg": ("2021:06:06", "Pixel 7"),
        "holiday/2022/bicycle.jpg": ("2022:12:24", "Pixel 7 Pro"),
        "holiday/Forêt/bivouac.jpg": ("2022:12:25", ""),
        "party/2021/bike.jpg": ("2021:12:31", ""),
        "party/dance.jpg": ("2021:12:31", ""),
        "readme/hollow.jpg": ("2020:01:01", ""),
        "IMG_2021.jpg": ("2020:01:02", ""),
    }
    for number, (name, (date, camera)) in enumerate(names.items()):
        photo(photos / name, date, camera, (200, number * 20, 0))
    return photos


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    update_library(library, [photos], encoder)
    app = create_app(Settings(library), lambda model: FakeEncoder())
    with TestClient(app, "http://127.0.0.1") as client:
        yield client


def suggest(client: TestClient, q: str, **options: Any) -> list[dict[str, Any]]:
    """Suggestions, which are as the OpenAPI description says."""
    response = client.get("/api/suggest", params={"q": q, **options})
    assert response.status_code == 200, response.text
    assert Suggestions.model_validate(response.json()).model_dump() == response.json()
    return response.json()["suggestions"]


def labels(client: TestClient, q: str, kind: str, **options: Any) -> list[str]:
    return [one["label"] for one in suggest(client, q, **options) if one["kind"] == kind]


def test_a_suggestion_of_each_kind(client: TestClient) -> None:
    assert suggest(client, "june") == [
        {
            "kind": "month",
            "label": "June 2021",
            "photos": 2,
            "filter": {"after": "2021-06", "before": "2021-07"},
        }
    ]
    assert suggest(client, "party", limit=1) == [
        {"kind": "folder", "label": "party", "photos": 2, "filter": {"path": "party"}}
    ]
    assert suggest(client, "pix")[0] == {
        **{"kind": "camera", "label": "Pixel 7", "photos": 3},  # the filter finds the Pro as well
        "filter": {"camera": "Pixel 7"},
    }
    assert suggest(client, "bic") == [
        {"kind": "word", "label": "bicycle", "photos": 2, "filter": {"q": "bicycle"}}
    ]


@pytest.mark.parametrize("q", ["hol", "2021", "dec", "pix", "my", "forêt", "party 2021", ""])
def test_each_filter_finds_as_many_photos_as_are_told(client: TestClient, q: str) -> None:
    found = suggest(client, q, limit=50)
    assert found
    for one in found:
        hits = client.get("/api/search", params={**one["filter"], "top": 100, "fold": False})
        if one["kind"] != "word":
            assert len(hits.json()["hits"]) == one["photos"], one


def test_a_folder_whose_name_others_have_is_found_alone(client: TestClient, photos: Path) -> None:
    paths = {
        one["label"]: one["filter"]["path"] for one in suggest(client, "2021") if one["kind"] == "folder"
    }
    assert paths == {"holiday/2021": "holiday/2021", "party/2021": "party/2021"}
    (whole,) = [one for one in suggest(client, "my ph") if one["kind"] == "folder"]
    assert (whole["label"], whole["photos"]) == ("My Photos", 8)


def test_folders_that_end_alike_have_their_whole_path(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    for name in ("a/2021", "b/2021"):
        photo(tmp_path / name / "red.jpg", "2021:06:05")
    update_library(library, [tmp_path / "a", tmp_path / "b"], encoder)
    app = create_app(Settings(library), lambda model: FakeEncoder())
    with TestClient(app, "http://127.0.0.1") as client:
        paths = [one["filter"]["path"] for one in suggest(client, "2021") if one["kind"] == "folder"]
    assert sorted(paths) == [str(tmp_path / "a" / "2021"), str(tmp_path / "b" / "2021")]


def test_what_is_typed_last_decides(client: TestClient) -> None:
    assert labels(client, "a dog at the holi", "folder")[0] == "holiday"
    assert labels(client, "dance december 2021", "month") == ["December 2021"]
    assert labels(client, "party 2021", "folder") == ["party/2021"]  # not all of 2021
    assert labels(client, "dog 2021", "folder") == ["holiday/2021", "party/2021"]


def test_folders_come_first_that_have_it_in_their_own_name(client: TestClient) -> None:
    assert labels(client, "holiday", "folder", limit=20) == [
        "holiday",
        "holiday/2021",
        "holiday/2022",
        "holiday/Forêt",
    ]


def test_case_and_accents_do_not_matter(client: TestClient) -> None:
    for q in ("foret", "FORÊT", "Foreˆt".replace("ˆ", "\u0302"), "holiday/for"):
        assert labels(client, q, "folder")[0] == "holiday/Forêt", q
    assert labels(client, "dezem", "month") == ["Dezember 2022", "Dezember 2021"]
    assert labels(client, "decembre", "month") == ["Décembre 2022", "Décembre 2021"]


def test_words_are_suggested_from_two_letters_on_and_only_unfinished(client: TestClient) -> None:
    assert labels(client, "b", "word") == []
    assert labels(client, "bi", "word") == ["bicycle", "bike", "bivouac"]  # bicycle is in two names
    assert labels(client, "bike", "word") == []
    assert labels(client, "20", "word") == []  # numbers of files are no words


def test_nothing_typed_gives_new_months_and_large_folders(client: TestClient) -> None:
    found = suggest(client, " ", limit=4)
    assert [(one["kind"], one["label"]) for one in found] == [
        ("month", "December 2022"),
        ("month", "December 2021"),
        ("folder", "My Photos"),
        ("folder", "holiday"),
    ]


def test_each_kind_gets_its_share(client: TestClient) -> None:
    found = suggest(client, "p", limit=3)  # "my photos", "party" and one in it; two cameras
    assert [(one["kind"], one["label"]) for one in found] == [
        ("folder", "My Photos"),
        ("folder", "party"),
        ("camera", "Pixel 7"),
    ]


def test_what_cannot_be_typed_further(client: TestClient) -> None:
    for q in ("zzz", "+", '"', "%", "*", "\0", "a" * 2000, "-- ;", "（）"):
        assert suggest(client, q) == []
    assert client.get("/api/suggest", params={"q": "a" * 2001}).status_code == 422
    assert client.get("/api/suggest", params={"limit": 0}).status_code == 422


def test_new_photos_are_suggested_once_they_are_indexed(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggester, "_SHARE", 1e9)  # read anew at once
    assert labels(client, "zoo", "folder") == []
    photo(photos / "zoo" / "lion.jpg", "2023:03:03", color=(0, 200, 0))
    update_library(library, [], encoder)
    assert labels(client, "zoo", "folder") == ["zoo"]
    assert labels(client, "march", "month") == ["March 2023"]


def test_an_empty_library_suggests_nothing(library: Path) -> None:
    from twobranch.indexer.catalog.connection import open_database

    open_database(library, create=True)
    with TestClient(create_app(Settings(library)), "http://127.0.0.1") as client:
        assert suggest(client, "") == suggest(client, "dog") == []


def test_beginnings_of_words_are_compared() -> None:
    assert key_of("Été/Forêt_2021") == " ete foret 2021"
    assert key_of("holi") in key_of("my holiday")
    assert key_of("lid") not in key_of("holiday")
