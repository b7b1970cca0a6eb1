"""Small pictures: upright, made once, kept by content, and of the file as it is now."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Event

import httpx
import pytest
from PIL import ExifTags, Image
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images
from tests.server.serving import receive, request, serving
from tests.waiting import PATIENCE, wait_for
from twobranch.embedding.preprocess import load_thumbnail
from twobranch.indexer.catalog.photo_facts import photo_file
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library
from twobranch.server.api import thumbnails
from twobranch.server.api.thumbnails import Thumbnail, Thumbnails
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

YEAR = "private, max-age=31536000, immutable"


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    """Over red.png of 8 pixels a side, and large.jpg of 2000 x 1000, to be turned."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # "turn me 90° clockwise"
    write_photo(photos / "large.jpg", (0, 0, 250), (2000, 1000), exif=exif)
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def url_of(library: Path, name: str) -> str:
    return f"/api/photos/{images(library)[f'photos/{name}'].id}/thumbnail"


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def content_of(path: Path) -> str:
    """As hits have it: the first 8 bytes of the sha256."""
    return sha256(path.read_bytes()).hexdigest()[:16]


@pytest.mark.parametrize(("size", "sides"), [(None, (160, 320)), (640, (320, 640)), (1600, (800, 1600))])
def test_upright_and_no_larger_than_asked_for(
    client: TestClient, library: Path, size: int | None, sides: tuple[int, int]
) -> None:
    response = client.get(url_of(library, "large.jpg"), params={} if size is None else {"size": size})
    assert (response.status_code, response.headers["content-type"]) == (200, "image/webp")
    assert response.headers["x-content-type-options"] == "nosniff"
    image = opened(response.content)
    assert (image.format, image.size) == ("WEBP", sides)


def test_a_small_photo_stays_as_it_is(client: TestClient, library: Path) -> None:
    image = opened(client.get(url_of(library, "red.png"), params={"size": 1600}).content)
    assert image.size == (8, 8)


@pytest.mark.parametrize("size", ["0", "321", "99999999", "x"])
def test_no_other_sizes(client: TestClient, library: Path, size: str) -> None:
    assert client.get(url_of(library, "red.png"), params={"size": size}).status_code == 422


def test_with_its_content_it_holds_for_a_year_else_until_it_is_asked_again(
    client: TestClient, library: Path, photos: Path
) -> None:
    url, content = url_of(library, "red.png"), content_of(photos / "red.png")
    named = client.get(url, params={"v": content})
    assert named.headers["cache-control"] == YEAR
    for other in ({}, {"v": "0" * 16}):
        response = client.get(url, params=other)
        assert response.headers["cache-control"] == "private, no-cache"
        again = client.get(url, params=other, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == response.headers["etag"] == named.headers["etag"]
    tag = {"If-None-Match": named.headers["etag"]}
    assert client.get(url, params={"size": 640}, headers=tag).status_code == 200  # another size, another tag


def test_a_file_that_has_changed_is_shown_as_it_is_now(
    client: TestClient, library: Path, photos: Path
) -> None:
    url, old = url_of(library, "red.png"), content_of(photos / "red.png")
    before = client.get(url, params={"v": old})
    write_photo(photos / "red.png", "blue", (16, 8))
    after = client.get(url, params={"v": old}, headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, opened(after.content).size) == (200, (16, 8))
    assert after.headers["cache-control"] == "private, no-cache"  # `v` names what was there before
    new = content_of(photos / "red.png")
    assert client.get(url, params={"v": new}).headers["cache-control"] == YEAR
    again = client.get(url, headers={"If-None-Match": after.headers["etag"]})
    assert again.status_code == 304
    (photos / "red.png").write_bytes(b"no photo")
    response = client.get(url)
    assert (response.status_code, "not an image" in response.json()["error"]) == (404, True)


def test_a_photo_that_can_be_read_again_is_shown(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    (photos / "red.png").write_bytes(b"no photo")
    update_library(library, [photos], encoder)
    url = url_of(library, "red.png")
    assert client.get(url).status_code == 404
    write_photo(photos / "red.png", "red")
    assert client.get(url).status_code == 200


def test_it_is_made_once_and_kept(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = url_of(library, "large.jpg")
    first = client.get(url).content
    copy = photos / "copy.jpg"
    copy.write_bytes((photos / "large.jpg").read_bytes())
    update_library(library, [photos], encoder)

    def never(*args: object, **named: object) -> Image.Image:
        raise AssertionError("made again")

    monkeypatch.setattr(thumbnails, "load_thumbnail", never)
    assert client.get(url).content == first
    assert client.get(url_of(library, "copy.jpg")).content == first  # the same content
    app = create_app(Settings(library), load=lambda model: encoder)
    with TestClient(app, "http://127.0.0.1") as restarted:
        assert restarted.get(url).content == first


def test_what_was_kept_and_is_damaged_is_made_again(client: TestClient, library: Path) -> None:
    url = url_of(library, "red.png")
    first = client.get(url).content
    (kept,) = (library / "thumbnails").glob("*/*.webp")
    kept.write_bytes(first[:10])
    assert client.get(url).content == first
    assert kept.read_bytes() == first


def test_a_library_that_cannot_be_written_shows_them_all_the_same(client: TestClient, library: Path) -> None:
    (library / "thumbnails").write_text("a file where the folder would be")
    url = url_of(library, "red.png")
    assert [client.get(url).status_code for _ in range(2)] == [200, 200]


class Slow:
    """Pictures that take until ``go_on`` is set, made in one thread, one after another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self.begun = Event()
        self.go_on = Event()
        monkeypatch.setattr(thumbnails, "load_thumbnail", self._load)
        monkeypatch.setattr(thumbnails, "usable_cores", lambda: 1)

    def _load(self, data: bytes, side: int, *, name: Path) -> Image.Image:
        self.made.append(name.name)
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        return load_thumbnail(data, side, name=name)


def test_whoever_asks_while_it_is_made_gets_the_same_one(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_library(library, [photos], encoder)
    slow = Slow(monkeypatch)
    with closing(CatalogReader.open(library)) as reader:
        file = photo_file(reader, images(library)["photos/red.png"].id)
    assert file is not None

    async def ask() -> list[Thumbnail | BaseException]:
        with closing(Thumbnails(library)) as small:
            asked = [asyncio.create_task(small.make(file, 320)) for _ in range(5)]
            await asyncio.sleep(0)
            asked[0].cancel()  # who asked first leaves
            await asyncio.sleep(0)
            slow.go_on.set()
            return await asyncio.gather(*asked, return_exceptions=True)

    first, *others = asyncio.run(ask())
    assert slow.made == ["red.png"]
    assert isinstance(first, asyncio.CancelledError)
    assert len({other.data for other in others if isinstance(other, Thumbnail)}) == 1


def test_what_nobody_waits_for_any_more_is_not_made(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_library(library, [photos], encoder)
    slow = Slow(monkeypatch)
    with closing(CatalogReader.open(library)) as reader:
        red, green, blue = (
            photo_file(reader, images(library)[f"photos/{name}.png"].id) for name in ("red", "green", "blue")
        )
    assert red is not None and green is not None and blue is not None

    async def ask() -> list[Thumbnail]:
        with closing(Thumbnails(library)) as small:
            asked = [asyncio.create_task(small.make(photo, 320)) for photo in (red, green, green, blue, blue)]
            await asyncio.get_running_loop().run_in_executor(None, slow.begun.wait, PATIENCE)
            for n in (0, 1, 2, 3):  # all leave but the second who asked for the blue one
                asked[n].cancel()
            await asyncio.wait(asked[:4])
            again = asyncio.create_task(small.make(red, 320))  # comes back while it is being made
            await asyncio.sleep(0)
            slow.go_on.set()
            pictures = [await again, await asked[4]]
            assert slow.made == ["red.png", "blue.png"]
            return [*pictures, await small.make(green, 320)]

    assert len({picture.data for picture in asyncio.run(ask())}) == 3
    assert slow.made == ["red.png", "blue.png", "green.png"]


def test_a_browser_that_leaves_takes_back_what_it_asked_for(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_library(library, [photos], encoder)
    slow = Slow(monkeypatch)
    app = create_app(Settings(library), load=lambda model: encoder)
    with serving(app) as port:
        first, left, last = (
            socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in ("red", "green", "blue")
        )
        with first, left, last:
            first.sendall(request("GET", url_of(library, "red.png")))
            assert slow.begun.wait(PATIENCE)
            left.sendall(request("GET", url_of(library, "green.png")))
            last.sendall(request("GET", url_of(library, "blue.png")))
            making = app.state.shared.thumbnails._making
            wait_for(lambda: len(making) == 3)
            left.close()
            wait_for(lambda: len(making) == 2)
            slow.go_on.set()
            assert [receive(one).status for one in (first, last)] == [200, 200]
        counts = app.state.stats.requests
    assert slow.made == ["red.png", "blue.png"]
    assert sorted(status for (_, _, status) in counts) == [200, 499]


def test_an_error_is_for_all_who_wait_and_not_kept(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    url = url_of(library, "red.png")
    photo = (photos / "red.png").read_bytes()
    (photos / "red.png").write_bytes(b"no photo")

    async def ask() -> list[int]:
        app = create_app(Settings(library), load=lambda model: encoder)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            broken = await asyncio.gather(*(client.get(url) for _ in range(4)))
            (photos / "red.png").write_bytes(photo)
            mended = await client.get(url)
        app.state.shared.close()
        return [response.status_code for response in (*broken, mended)]

    assert asyncio.run(ask()) == [404, 404, 404, 404, 200]


def test_threads_that_make_pictures_are_not_those_that_search(
    client: TestClient, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pictures wait, a search does not."""
    may_go_on = Event()

    def slow(data: bytes, side: int, *, name: Path) -> Image.Image:
        assert may_go_on.wait(PATIENCE)
        return load_thumbnail(data, side, name=name)

    monkeypatch.setattr(thumbnails, "load_thumbnail", slow)
    urls = [url_of(library, name) for name in ("red.png", "green.png", "blue.png", "large.jpg")]
    with ThreadPoolExecutor(8) as visitors:
        waiting = [
            visitors.submit(client.get, url, params={"size": size}) for url in urls for size in (320, 640)
        ]
        try:
            assert client.get("/api/search", params={"q": "red"}).status_code == 200
            assert not any(picture.done() for picture in waiting)
        finally:
            may_go_on.set()
        assert [picture.result().status_code for picture in waiting] == [200] * 8
