"""What is known of a photo, its captions, and its file, by id alone."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.update.library import update_library
from twobranch.server.api.captions import CaptionPage
from twobranch.server.api.photos import PhotoAnswer
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

CAPTIONS = (
    "image,caption,split\nred.png,a red thing,train\nred.png,red,train\nblue.png,blue,dev\nx.png,?,dev\n"
)


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path) -> Iterator[TestClient]:
    """Over red.png with two captions, blue.png with one, a fourth without a photo, and holiday/rose.jpg."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Google", "Pixel 7"
    exif[ExifTags.Base.Orientation] = 6  # "turn me 90° clockwise"
    exif[ExifTags.Base.ImageDescription] = "A rose"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2023:07:04 12:00:00"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (48.0, 30.0, 0.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "W", (2.0, 15.0, 0.0)
    write_photo(photos / "holiday/rose.jpg", (200, 0, 0), (40, 20), exif=exif)
    (tmp_path / "captions.csv").write_text(CAPTIONS)
    update_library(library, [photos], encoder, captions=tmp_path / "captions.csv")
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def id_of(library: Path, path: str) -> int:
    """The id of a photo by its path below ``photos``."""
    return images(library)[f"photos/{path}"].id


def facts(client: TestClient, photo: int) -> dict[str, Any]:
    """The answer, which is as the OpenAPI description says."""
    response = client.get(f"/api/photos/{photo}")
    assert response.status_code == 200, response.text
    answer = response.json()
    assert PhotoAnswer.model_validate(answer).model_dump() == answer
    return answer


def captions(client: TestClient, **parameters: Any) -> dict[str, Any]:
    response = client.get("/api/captions", params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert CaptionPage.model_validate(answer).model_dump() == answer
    return answer


def test_all_that_is_known_of_a_photo(client: TestClient, library: Path, photos: Path) -> None:
    rose = facts(client, id_of(library, "holiday/rose.jpg"))
    path = photos / "holiday/rose.jpg"
    assert (rose["path"], rose["name"], rose["folder"]) == (str(path), "rose.jpg", str(path.parent))
    assert (rose["date"], rose["date_from"]) == ("2023-07-04T12:00:00", "photo")
    assert rose["camera"] == "Google Pixel 7"
    assert (rose["width"], rose["height"]) == (20, 40)  # 40 x 20, turned upright
    assert (rose["bytes"], rose["format"], rose["failure"]) == (path.stat().st_size, "jpg", None)
    assert (rose["latitude"], rose["longitude"]) == (48.5, -2.25)  # 30' and 15' are 0.5 and 0.25 degrees
    assert rose["keywords"] == ["A rose"]
    assert datetime.fromisoformat(rose["indexed_at"].replace("Z", "+00:00")).tzinfo is not None
    hit = client.get("/api/search", params={"q": "red", "fold": False, "path": "rose*"}).json()["hits"][0]
    assert {name: rose[name] for name in ("photo", "content", "width")} == {
        name: hit[name] for name in ("photo", "content", "width")
    }


def test_captions_and_what_looks_almost_the_same(client: TestClient, library: Path) -> None:
    red = facts(client, id_of(library, "red.png"))
    written = datetime.fromtimestamp(int(Path(red["path"]).stat().st_mtime))
    assert (red["date"], red["date_from"]) == (written.isoformat(), "file")
    assert [(caption["text"], caption["split"]) for caption in red["captions"]] == [
        ("a red thing", "train"),
        ("red", "train"),
    ]
    # (1, 0, 0, 0.01) and (0.78, 0, 0, 0.01) have a cosine of nearly 1, green and blue one of 0.0001 with red.
    (rose,) = red["alike"]
    assert (rose["photo"], rose["score"]) == (id_of(library, "holiday/rose.jpg"), pytest.approx(1, abs=1e-3))
    assert facts(client, id_of(library, "blue.png"))["alike"] == []


def test_a_photo_that_could_not_be_read(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    (photos / "torn.png").write_bytes(b"no photo")
    update_library(library, [photos], encoder)
    torn = facts(client, id_of(library, "torn.png"))
    assert (torn["failure"], torn["width"]) == ("not an image, or damaged at its beginning", None)
    assert torn["alike"] == []


def test_a_name_that_is_not_utf_8(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "caf\udce9.png", (0, 0, 250))
    update_library(library, [photos], encoder)
    photo = id_of(library, "caf\udce9.png")
    assert facts(client, photo)["name"] == "caf?.png"
    response = client.get(f"/api/photos/{photo}/original")
    assert response.headers["content-disposition"] == (
        "inline; filename=\"caf_.png\"; filename*=UTF-8''caf_.png"
    )
    assert response.content == (photos / "caf\udce9.png").read_bytes()


@pytest.mark.parametrize("what", ["", "/thumbnail", "/original"])
def test_ids_that_there_are_not(client: TestClient, what: str) -> None:
    response = client.get(f"/api/photos/99{what}")
    assert (response.status_code, response.json()["error"].split(";")[0]) == (404, "there is no photo 99")
    for nonsense in ("0", "-1", str(2**63), "red.png", "..%2f..%2fetc%2fpasswd"):
        assert client.get(f"/api/photos/{nonsense}{what}").status_code in (404, 422)


def test_an_id_that_no_catalogue_can_hold_is_refused_by_searches_too(client: TestClient) -> None:
    """SQLite's integers end at 2**63: it was a crash."""
    for name in ("like", "unlike"):
        assert client.get("/api/search", params={"q": "red", name: 2**63}).status_code == 422


# --- captions ---------------------------------------------------------------------------------------


def test_captions_page_by_page(client: TestClient, library: Path, photos: Path) -> None:
    first = captions(client, limit=3)
    assert [caption["text"] for caption in first["captions"]] == ["a red thing", "red", "blue"]
    assert (first["total"], first["next"]) == (4, first["captions"][-1]["id"])
    assert first["captions"][0]["photo"] == id_of(library, "red.png")
    assert first["captions"][0]["path"] == str(photos / "red.png")
    last = captions(client, limit=3, after=first["next"])
    assert [(caption["text"], caption["photo"]) for caption in last["captions"]] == [("?", None)]
    assert (last["total"], last["next"]) == (4, None)
    assert captions(client, limit=4)["next"] is None


def test_captions_of_a_split_and_of_a_photo(client: TestClient, library: Path) -> None:
    dev = captions(client, split="dev", limit=1)
    assert ([caption["text"] for caption in dev["captions"]], dev["total"]) == (["blue"], 2)
    assert dev["next"] is not None
    of_red = captions(client, photo=id_of(library, "red.png"))
    assert ([caption["text"] for caption in of_red["captions"]], of_red["total"]) == (
        ["a red thing", "red"],
        2,
    )
    assert client.get("/api/captions", params={"photo": 99}).status_code == 404
    assert client.get("/api/captions", params={"after": 2**63}).status_code == 422


# --- the file ---------------------------------------------------------------------------------------


@pytest.fixture
def red(library: Path, client: TestClient) -> str:
    return f"/api/photos/{id_of(library, 'red.png')}/original"


def test_the_file_itself(client: TestClient, photos: Path, red: str) -> None:
    response = client.get(red)
    assert response.content == (photos / "red.png").read_bytes()
    assert {name: response.headers[name] for name in ("content-type", "content-disposition")} == {
        "content-type": "image/png",
        "content-disposition": "inline; filename=\"red.png\"; filename*=UTF-8''red.png",
    }
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "sandbox"
    assert response.headers["cache-control"] == "private, no-cache"
    again = client.get(red, headers={"If-None-Match": f'"other", W/{response.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(red, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=3-9", slice(3, 10)),
        ("bytes=5-", slice(5, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=-99999", slice(None)),
        ("bytes=2-99999", slice(2, None)),
    ],
)
def test_ranges(client: TestClient, photos: Path, red: str, asked: str, part: slice) -> None:
    whole = (photos / "red.png").read_bytes()
    response = client.get(red, headers={"Range": asked})
    assert (response.status_code, response.content) == (206, whole[part])
    first, last, _ = part.indices(len(whole))
    assert response.headers["content-range"] == f"bytes {first}-{last - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=99999-", "bytes=-0", "bytes=9-3"])
def test_ranges_that_there_are_not(client: TestClient, photos: Path, red: str, asked: str) -> None:
    response = client.get(red, headers={"Range": asked})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{(photos / 'red.png').stat().st_size}"


def test_a_thumbnail_is_saved_under_the_photos_name(client: TestClient, red: str) -> None:
    response = client.get(red.replace("original", "thumbnail"))
    assert response.headers["content-disposition"].startswith('inline; filename="red.webp"')


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "lines=0-1", "bytes=-", "bytes=x-y", "bytes=" + "9" * 5000]
)
def test_what_is_no_range_we_know_is_left_aside(client: TestClient, red: str, asked: str) -> None:
    assert client.get(red, headers={"Range": asked}).status_code == 200


def test_a_range_of_another_version_of_the_file_is_all_of_this_one(client: TestClient, red: str) -> None:
    response = client.get(red)
    for current in (response.headers["etag"], response.headers["last-modified"]):
        assert client.get(red, headers={"Range": "bytes=0-1", "If-Range": current}).status_code == 206
    for other in ('"other"', "Thu, 01 Jan 1970 00:00:00 GMT"):
        assert client.get(red, headers={"Range": "bytes=0-1", "If-Range": other}).status_code == 200


def test_a_large_file_arrives_in_pieces(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)  # 1.08 MB
    Image.fromarray(noise).save(photos / "noise.bmp")
    update_library(library, [photos], encoder)
    response = client.get(f"/api/photos/{id_of(library, 'noise.bmp')}/original")
    assert response.content == (photos / "noise.bmp").read_bytes()
    assert (response.headers["content-type"], int(response.headers["content-length"])) == (
        "image/bmp",
        len(response.content),
    )


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg", "inline"),
        (b"GIF89a", "image/gif", "inline"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp", "inline"),
        (b"\0\0\0\x20ftypavif", "image/avif", "inline"),
        (b"\0\0\0\x20ftypheic", "application/octet-stream", "attachment"),
        (b"II*\0", "application/octet-stream", "attachment"),
        (b"<html><script>alert(1)</script>", "application/octet-stream", "attachment"),
        (b"<svg onload='alert(1)'/>", "application/octet-stream", "attachment"),
        (b"", "application/octet-stream", "attachment"),
    ],
)
def test_what_a_file_is_its_beginning_says_and_not_its_name(
    content: bytes, kind: str, what: str, client: TestClient, photos: Path, library: Path, red: str
) -> None:
    (photos / "red.png").write_bytes(content)
    with closing(sqlite3.connect(library / CATALOG)) as connection:  # as if it had been a photo
        digest, size = hashlib.sha256(content).digest(), len(content)
        connection.execute(
            "UPDATE images SET content_hash = ?, size = ? WHERE path = 'red.png'", [digest, size]
        )
        connection.commit()
    response = client.get(red)
    assert (response.status_code, response.content) == (200, content)
    assert response.headers["content-type"] == kind
    assert response.headers["content-disposition"].partition(";")[0] == what


@pytest.mark.parametrize(
    ("name", "plain", "encoded"),
    [
        ("zoë 猫.png", "zo_ _.png", "zo%C3%AB%20%E7%8C%AB.png"),
        ('a"b\\c%.png', "a_b_c_.png", "a%22b%5Cc%25.png"),
        ("two\r\nlines: x.png", "two__lines: x.png", "two%0D%0Alines%3A%20x.png"),
    ],
)
def test_names_of_files_in_headers(
    name: str,
    plain: str,
    encoded: str,
    client: TestClient,
    library: Path,
    photos: Path,
    encoder: FakeEncoder,
) -> None:
    write_photo(photos / name, "red")
    update_library(library, [photos], encoder)
    response = client.get(f"/api/photos/{id_of(library, name)}/original")
    expected = f"inline; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    assert response.headers["content-disposition"] == expected


def test_what_took_a_photos_place_is_not_sent(
    client: TestClient, photos: Path, tmp_path: Path, red: str
) -> None:
    secret = write_photo(tmp_path / "secret.png", "blue")
    (photos / "red.png").unlink()
    for url in (red, red.replace("original", "thumbnail")):
        assert "no such file" in client.get(url).json()["error"]
    (photos / "red.png").symlink_to(secret)
    for url in (red, red.replace("original", "thumbnail")):
        response = client.get(url)
        assert (response.status_code, "a link to something else" in response.json()["error"]) == (404, True)
