"""The page's files: one version at a time, kept by browsers as long as they may."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder
from twobranch.indexer.update.library import update_library
from twobranch.server.api.page_files import PAGE, Page
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def written(folder: Path, **files: str) -> Path:
    """A folder of a page; in names ``_`` stands for the dot."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def test_html_names_files_of_one_version(client: TestClient) -> None:
    for page in ("/", "/model.html", "/api.html"):
        html = client.get(page)
        assert html.headers["cache-control"] == "no-cache"
        addresses = re.findall(r'(?:href|src)="([^"]+\.(?:js|css))"', html.text)
        assert len(addresses) > 3
        assert len({address.split("/")[0] for address in addresses}) == 1
        for address in addresses:
            assert address.startswith("static-")  # relative: also behind a prefix of a proxy
            file = client.get(f"/{address}")
            assert (file.status_code, file.headers["cache-control"]) == (
                200,
                "public, max-age=31536000, immutable",
            )
    assert 'href="model.html"' in client.get("/").text  # pages have no version in their address


def test_what_a_module_imports_is_of_its_version(client: TestClient) -> None:
    version = client.app.state.page.version  # type: ignore[attr-defined]
    module = client.get(f"/static-{version}/js/main.js", headers=PLAIN).text
    imported = re.search(r'from "(\.\./[^"]+)"', module)
    assert imported is not None
    assert client.get(f"/static-{version}/js/{imported[1]}").status_code == 200


@pytest.mark.parametrize("path", ["js/main.js", "index.html", "nothing.js", "../run.py", ""])
def test_other_versions_are_gone(client: TestClient, path: str) -> None:
    """So that an old page cannot load a script of the new version."""
    response = client.get(f"/static-0123456789ab/{path}")
    assert (response.status_code, response.headers["cache-control"]) == (404, "no-store")


def test_files_without_a_version_are_asked_for_each_time(client: TestClient) -> None:
    response = client.get("/js/main.js")
    assert response.headers["cache-control"] == "no-cache"
    for known in (response.headers["etag"], f"W/{response.headers['etag']}", "*"):
        again = client.get("/js/main.js", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == response.headers["etag"]
    assert client.get("/js/main.js", headers={"If-None-Match": '"another"'}).status_code == 200


def test_scripts_are_compressed_for_those_who_can_read_it(client: TestClient) -> None:
    packed = client.get("/js/main.js", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    plain = client.get("/js/main.js", headers=PLAIN)
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert packed.text == plain.text == (PAGE / "js/main.js").read_text(encoding="utf-8")
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.headers["etag"] != plain.headers["etag"]  # a strong tag is of the bytes
    icon = client.get("/favicon.ico")
    assert ("content-encoding" in icon.headers, "vary" in icon.headers) == (False, False)
    head = client.head("/js/main.js")
    assert (head.content, head.headers["content-length"]) == (b"", packed.headers["content-length"])


def test_the_service_worker_knows_the_page(client: TestClient) -> None:
    """It lies at the root, for all of the page, and is another one with each version."""
    worker = client.get("/sw.js")
    assert worker.headers["cache-control"] == "no-cache"
    page = json.loads(worker.text.removeprefix("const PAGE = ").split(";\n")[0])
    assert page["version"] == client.get("/api/index").json()["page"]
    assert sorted(page["pages"]) == ["", "api.html", "model.html"]
    for address in page["files"]:
        assert client.get(f"/{address}").headers["cache-control"].endswith("immutable")
    assert any(address.endswith("js/main.js") for address in page["files"])


def test_the_manifest_and_its_icons(client: TestClient) -> None:
    manifest = client.get("/manifest.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json"
    for icon in manifest.json()["icons"]:
        with Image.open(io.BytesIO(client.get(f"/{icon['src']}").content)) as picture:
            assert (f"{picture.width}x{picture.height}", picture.format) == (icon["sizes"], "PNG")


def test_media_types(client: TestClient) -> None:
    for name, kind in (
        ("js/main.js", "text/javascript; charset=utf-8"),
        ("base.css", "text/css; charset=utf-8"),
        ("", "text/html; charset=utf-8"),
    ):
        assert client.get(f"/{name}").headers["content-type"] == kind


def test_any_change_is_a_new_version(tmp_path: Path) -> None:
    html = '<link href="a.css"><script src="a.js"></script><a href="index.html">a.css</a><a href="b.css">'
    first = Page(written(tmp_path / "page", index_html=html, a_css="a {}", a_js="1"))
    same = Page(tmp_path / "page")
    assert first.version == same.version
    changed = Page(written(tmp_path / "page", a_js="2"))
    assert changed.version != first.version
    # What a file imports may have changed, so its own address changes as well.
    assert changed.address("a.css") != first.address("a.css")
    found = first.file("/")
    assert found is not None
    assert found[0].data.decode() == (
        f'<link href="static-{first.version}/a.css"><script src="static-{first.version}/a.js"></script>'
        '<a href="index.html">a.css</a><a href="b.css">'
    )


def test_a_running_server_keeps_its_version(tmp_path: Path) -> None:
    """While the program is replaced on disk."""
    page = Page(written(tmp_path / "page", a_js="1"))
    written(tmp_path / "page", a_js="2")
    found = page.file(f"/{page.address('a.js')}")
    assert found is not None and found[0].data == b"1"


def test_compressed_files_are_whole() -> None:
    page = Page()
    found = page.file("/search.css")
    assert found is not None and found[0].gzipped is not None
    assert gzip.decompress(found[0].gzipped) == (PAGE / "search.css").read_bytes()
