"""Whoever may write into a folder of photos does not get at what only the server may read."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images
from tests.server.serving import Reply, request, send, serving
from twobranch.indexer.catalog import photo_file as photofile
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.disk.open import digest_of
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.open_photos import copy_photos
from twobranch.retrieval.hits import Hit
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

SECRET = b"-----BEGIN PRIVATE KEY-----\n" + b"k" * 4000


def disguise(photo: Path, secret: Path) -> None:
    """Makes a photo of the secret's size and time."""
    write_photo(photo, "red")
    with photo.open("ab") as file:
        file.write(bytes(secret.stat().st_size - file.tell()))
    os.utime(photo, ns=(secret.stat().st_atime_ns, secret.stat().st_mtime_ns))


def by_link(photo: Path, secret: Path) -> None:
    photo.unlink()
    photo.symlink_to(secret)


def by_second_name(photo: Path, secret: Path) -> None:
    photo.unlink()
    os.link(secret, photo)


def by_renaming(photo: Path, secret: Path) -> None:
    secret.replace(photo)


def by_another_link(photo: Path, secret: Path) -> None:
    """Of a photo that was indexed through a link, which now leads elsewhere."""
    photo.unlink()
    photo.symlink_to(secret)


def by_a_folder(photo: Path, secret: Path) -> None:
    photo.parent.rename(photo.parent.with_name("moved"))
    photo.parent.symlink_to(secret.parent)
    os.link(secret, secret.parent / photo.name)


def by_its_root(photo: Path, secret: Path) -> None:
    root = photo.parent.parent
    root.rename(root.with_name("moved"))
    (secret.parent / "in").mkdir()
    os.link(secret, secret.parent / "in" / photo.name)
    root.symlink_to(secret.parent)


SWAPS = [by_link, by_second_name, by_renaming, by_another_link, by_a_folder, by_its_root]
Swap = Callable[[Path, Path], None]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "key"
    path.parent.mkdir()
    path.write_bytes(SECRET)
    return path


@pytest.fixture
def photo(photos: Path, tmp_path: Path, secret: Path, request: pytest.FixtureRequest) -> Path:
    """A photo that is indexed next, of the secret's size and time; where it is to be a link, that is one."""
    photo = photos / "in" / "a.png"
    parameters = getattr(request.node, "callspec", None)
    if parameters is not None and parameters.params.get("swap") is by_another_link:
        disguise(tmp_path / "elsewhere" / "a.png", secret)
        photo.parent.mkdir()
        photo.symlink_to(tmp_path / "elsewhere" / "a.png")
    else:
        disguise(photo, secret)
    return photo


@pytest.fixture
def client(library: Path, photos: Path, photo: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def url_of(library: Path, what: str) -> str:
    return f"/api/photos/{images(library)['photos/in/a.png'].id}/{what}"


def forget_identities(library: Path) -> None:
    """As in a library of an older version."""
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("UPDATE images SET identity = NULL")
        connection.commit()


@pytest.mark.parametrize("known", [True, False], ids=["known", "old library"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "never seen"])
@pytest.mark.parametrize("swap", SWAPS)
def test_no_file_that_took_a_photos_place_is_handed_out(
    swap: Swap, seen: bool, known: bool, client: TestClient, library: Path, photo: Path, secret: Path
) -> None:
    if not known:
        forget_identities(library)
    original, thumbnail = url_of(library, "original"), url_of(library, "thumbnail")
    if seen:
        assert client.get(original).content == photo.read_bytes()
        picture = client.get(thumbnail).content
    swap(photo, secret)
    for headers in ({}, {"Range": "bytes=0-20"}):
        response = client.get(original, headers=headers)
        assert (response.status_code, b"KEY" in response.content) == (404, False)
    response = client.get(thumbnail)
    # The picture that was made of what was indexed may still be shown.
    assert response.status_code == 404 or (seen and response.content == picture)


@pytest.mark.parametrize("swap", [by_link, by_second_name, by_renaming, by_another_link])
def test_nor_after_it_was_indexed_again(
    swap: Swap, client: TestClient, library: Path, photos: Path, photo: Path, secret: Path
) -> None:
    """Then it is listed as no photo; and one that never was one is not handed out either."""
    swap(photo, secret)
    os.utime(photo)
    update_library(library, [photos], FakeEncoder())
    assert images(library)["photos/in/a.png"].failure
    for what in ("original", "thumbnail"):
        response = client.get(url_of(library, what))
        assert (response.status_code, b"KEY" in response.content) == (404, False)


@pytest.mark.parametrize("swap", [by_link, by_second_name, by_renaming])
def test_nor_another_photo_as_a_small_picture(
    swap: Swap, client: TestClient, library: Path, photo: Path, tmp_path: Path
) -> None:
    private = write_photo(tmp_path / "home" / "private.png", "blue")
    swap(photo, private)
    response = client.get(url_of(library, "thumbnail"))
    assert (response.status_code, "run `index`" in response.json()["error"]) == (404, True)


def test_nor_does_a_pipe_keep_the_server(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photo(photos / "in" / "a.png", "red")
    update_library(library, [photos], encoder)
    app = create_app(Settings(library), load=lambda model: encoder)
    with serving(app) as port:
        (photos / "in" / "a.png").unlink()
        os.mkfifo(photos / "in" / "a.png")
        replies: list[Reply] = [
            send(port, request("GET", url_of(library, what))) for what in ("original", "thumbnail")
        ]
        assert [reply.status for reply in replies] == [404, 404]


@pytest.mark.parametrize("swap", [by_link, by_second_name, by_renaming])
def test_nor_is_it_copied_or_put_into_a_page(
    swap: Swap, client: TestClient, library: Path, photo: Path, secret: Path, tmp_path: Path
) -> None:
    hit = client.get("/api/search", params={"q": "red", "path": "a.png"}).json()["hits"][0]
    found = [Hit(1, 0.5, photo, None, content=hit["content"])]
    assert len(copy_photos(found, tmp_path / "out").copied) == 1
    (tmp_path / "out" / "001-a.png").unlink()
    swap(photo, secret)
    copies = copy_photos(found, tmp_path / "out")
    assert copies.failed == (f"{photo}: not copied (changed since it was indexed; run `index`)",)
    assert list((tmp_path / "out").iterdir()) == []


# --- what is no attack ------------------------------------------------------------------------------


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A digest for each file that is read to find out what is in it."""
    digests: list[bytes] = []

    def counted(file: object) -> bytes:
        digests.append(digest_of(file))  # type: ignore[arg-type]
        return digests[-1]

    monkeypatch.setattr(photofile, "digest_of", counted)
    return digests


def test_a_photo_as_it_was_indexed_is_not_read_to_find_out(
    client: TestClient, library: Path, photo: Path, hashed: list[bytes]
) -> None:
    assert client.get(url_of(library, "original")).content == photo.read_bytes()
    assert hashed == []


def restored(photo: Path) -> None:
    shutil.copy2(photo, photo.with_suffix(".copy"))
    photo.with_suffix(".copy").replace(photo)


@pytest.mark.parametrize("change", [restored, os.utime, lambda photo: photo.chmod(0o600)])
def test_the_same_content_in_another_file_is_handed_out_and_read_once(
    change: Callable[[Path], None], client: TestClient, library: Path, photo: Path, hashed: list[bytes]
) -> None:
    """From a backup, on a drive that was mounted anew, or touched."""
    change(photo)
    for _ in range(3):
        assert client.get(url_of(library, "original")).content == photo.read_bytes()
        assert client.get(url_of(library, "thumbnail")).status_code == 200
    assert len(hashed) == 1


def test_a_photo_of_an_older_library_is_handed_out_and_read_once(
    client: TestClient, library: Path, photo: Path, hashed: list[bytes]
) -> None:
    forget_identities(library)
    for _ in range(3):
        assert client.get(url_of(library, "original")).content == photo.read_bytes()
    assert len(hashed) == 1


def test_a_photo_that_was_written_anew_waits_for_index(
    client: TestClient, library: Path, photos: Path, photo: Path
) -> None:
    write_photo(photo, "blue")  # the file is the same, and a small picture shows what is in it
    assert client.get(url_of(library, "thumbnail")).status_code == 200
    assert "run `index`" in client.get(url_of(library, "original")).json()["error"]
    write_photo(photo.with_name("b.png"), "green").replace(photo)  # as editors do
    for what in ("thumbnail", "original"):
        assert "run `index`" in client.get(url_of(library, what)).json()["error"]
    update_library(library, [photos], FakeEncoder())
    assert client.get(url_of(library, "original")).content == photo.read_bytes()
    assert client.get(url_of(library, "thumbnail")).status_code == 200
