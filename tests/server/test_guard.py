"""Who gets an answer, and what every answer carries."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.http.headers import HEADERS
from twobranch.server.http.hosts import Hosts, host_name
from twobranch.server.logs import SingleLineFormatter
from twobranch.server.settings import Settings

Open = Callable[..., TestClient]
TOKEN = "a-token-for-tests"


@pytest.fixture
def open_client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[Open]:
    """``open_client(token=…)``: a client of a server with these settings."""
    update_library(library, [photos], encoder)
    with ExitStack() as stack:

        def open_(**settings: Any) -> TestClient:
            app = create_app(Settings(library, **settings), load=lambda model: encoder)
            return stack.enter_context(TestClient(app, "http://127.0.0.1", follow_redirects=False))

        yield open_


def test_without_the_token_nothing_but_the_login(open_client: Open) -> None:
    client = open_client(token=TOKEN)
    operations = [
        (method, path)
        for path, methods in client.app.openapi()["paths"].items()  # type: ignore[attr-defined]
        for method in methods
        if path != "/healthz"
    ]
    assert ("get", "/api/search") in operations
    files = [
        "/search.css",
        "/js/main.js",
        "/sw.js",
        "/static-0/js/main.js",
        "/favicon.ico",
        "/vendor/lit-html.js",
        "/nothing",
    ]
    others = [("get", path) for path in ("/api/openapi.json", "/api/nothing", "/healthz/", *files)]
    for method, path in [*operations, *others, ("post", "/logout"), ("options", "/api/search")]:
        response = client.request(method, path)
        assert (response.status_code, "token" in response.json()["error"]) == (401, True), (method, path)
    version = client.app.state.page.version  # type: ignore[attr-defined]
    styles = ["/base.css", "/login.css", f"/static-{version}/base.css"]
    for path in ("/healthz", "/login", "/manifest.webmanifest", "/icons/icon-192.png", *styles):
        assert client.get(path).status_code == 200
    for path in ("/", "/model.html", "/api.html", "/nothing.html", f"/?token={TOKEN}"):
        response = client.get(path)  # a token in a URL would lie in histories and logs
        assert response.status_code == 303
        assert response.headers["location"].startswith("login") and TOKEN not in response.headers["location"]


def test_the_token_as_a_header(open_client: Open) -> None:
    client = open_client(token=TOKEN)
    for given, status in ((f"Bearer {TOKEN}", 200), (f"bearer  {TOKEN}", 200), (f"Basic {TOKEN}", 401)):
        response = client.get("/api/search", headers={"Authorization": given})
        assert response.status_code == status
    assert client.get("/api/search", params={"token": TOKEN}).status_code == 401


def test_wrong_tokens_are_counted_by_address(open_client: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("twobranch.server.http.auth.monotonic", lambda: now)
    client = open_client(token=TOKEN)

    def status(token: str) -> int:
        return client.get("/api/search", headers={"Authorization": f"Bearer {token}"}).status_code

    assert [status("wrong") for _ in range(12)] == [401] * 10 + [429] * 2
    assert status(TOKEN) == 429  # else the answer would tell who guesses right
    now += 601
    assert status(TOKEN) == 200


def test_only_the_machine_itself_needs_no_token(library: Path) -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.5.5.5"):
        Settings(library, host=host)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", ""):
        with pytest.raises(ValueError, match="needs a token"):
            Settings(library, host=host)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8008", True),
        ("LOCALHOST", True),
        ("localhost.", True),
        ("[::1]:8008", True),
        ("photos.example.org", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.5", False),
        ("localhost:8008:1", False),
        ("evil.example@localhost", False),
        ("", False),
    ],
)
def test_names_that_the_server_answers_to(open_client: Open, host: str, known: bool) -> None:
    client = open_client(allowed_hosts=("Photos.example.org",))
    response = client.get("/healthz", headers={"Host": host})
    assert response.status_code == (200 if known else 421)
    assert known or "--allow-host" in response.json()["error"]


def test_where_it_listens_everywhere_the_machine_has_a_name_and_addresses(library: Path) -> None:
    hosts = Hosts(Settings(library, host="0.0.0.0", token=TOKEN))
    assert [hosts.knows(host) for host in (socket.gethostname(), "192.168.1.5:8008", "[fe80::1]:8008")] == [
        True
    ] * 3
    assert not hosts.knows("evil.example")
    assert Hosts(Settings(library, host="192.168.1.5", token=TOKEN)).knows("192.168.1.5:8008")
    assert host_name("a b") is None


CROSS = {"Sec-Fetch-Site": "cross-site"}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/api/search", {}, 200),
        ("GET", "/api/search", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("GET", "/api/search", {"Sec-Fetch-Site": "none", **LINK}, 200),  # typed by a person
        ("GET", "/api/search", {**CROSS, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ("GET", "/api/search", {**CROSS, **LINK}, 403),
        ("GET", "/base.css", CROSS, 403),
        ("GET", "/", {**CROSS, **LINK}, 200),  # a link from another site
        ("GET", "/model.html", {**CROSS, **LINK}, 200),
        ("GET", "/", {**CROSS, **LINK, "Sec-Fetch-Dest": "iframe"}, 403),
        ("POST", "/login", {**CROSS, **LINK}, 403),
        ("GET", "/api/search", {"Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
        ("GET", "/api/search", {"Origin": "https://evil.example"}, 403),  # browsers without Sec-Fetch-Site
        ("DELETE", "/api/index", {"Origin": "http://127.0.0.1:3000"}, 403),
        ("DELETE", "/api/index", {"Origin": "null"}, 403),  # a page that hides where it comes from
        ("DELETE", "/api/index", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ("DELETE", "/api/index", {"Origin": "http://127.0.0.1"}, 200),
        ("DELETE", "/api/index", {}, 200),  # no browser
    ],
)
def test_pages_of_other_sites(
    open_client: Open, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = open_client().request(method, path, headers=headers)
    assert response.status_code == status
    assert status == 200 or "another site" in response.json()["error"]


def test_who_follows_a_link_is_sent_on_once_for_the_cookie(open_client: Open) -> None:
    """A browser sends no cookie that is SameSite=Strict along with a link from another site."""
    client = open_client(token=TOKEN)
    response = client.get("/model.html", headers={**CROSS, **LINK})
    assert 'http-equiv="refresh" content="0"' in response.text  # the same address again, now from here
    response = client.get("/model.html", headers={"Sec-Fetch-Site": "same-origin", **LINK})
    assert (response.status_code, response.headers["location"]) == (303, "login?next=model.html")


def test_headers_are_on_every_answer(open_client: Open) -> None:
    client = open_client(token=TOKEN)

    @client.app.get("/api/crash")  # type: ignore[attr-defined]
    async def crash() -> None:
        raise RuntimeError("a secret /path/of/ours")

    routes = client.app.router.routes  # type: ignore[attr-defined]
    routes.insert(0, routes.pop())
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    client = TestClient(client.app, "http://127.0.0.1", raise_server_exceptions=False)
    answers = [
        (200, client.get("/", headers=bearer)),
        (200, client.get("/api/search", headers=bearer)),
        (204, client.options("/api/search", headers=bearer)),
        (400, client.request("GET", "/api/search", content=b"x", headers=bearer)),
        (401, client.get("/api/search")),
        (404, client.get("/api/nothing", headers=bearer)),
        (405, client.put("/api/search", headers=bearer)),
        (421, client.get("/", headers={"Host": "evil.example"})),
        (422, client.get("/api/search", params={"top": "x"}, headers=bearer)),
        (500, client.get("/api/crash", headers=bearer)),
    ]
    for status, answer in answers:
        assert answer.status_code == status
        for name, value in HEADERS.items():
            assert answer.headers[name.decode()] == value.decode(), (status, name)
        assert not any(name.startswith("access-control") for name in answer.headers)
    assert answers[1][1].headers["cache-control"] == "no-store"
    assert "secret" not in answers[-1][1].text
    assert "unsafe" not in HEADERS[b"content-security-policy"].decode()


def test_methods_and_addresses_that_there_are_not(open_client: Open) -> None:
    client = open_client()
    head, get = client.head("/api/search"), client.get("/api/search")
    assert (head.status_code, head.content) == (200, b"")
    assert (
        abs(int(head.headers["content-length"]) - int(get.headers["content-length"])) < 10
    )  # `took_ms` differs
    for path, allowed in (("/api/search", "GET, POST, HEAD, OPTIONS"), ("/logout", "POST, OPTIONS")):
        options, wrong = client.options(path), client.patch(path)
        assert (options.status_code, options.headers["allow"]) == (204, allowed)
        assert (wrong.status_code, wrong.headers["allow"], allowed in wrong.json()["error"]) == (
            405,
            allowed,
            True,
        )
    for path in ("/api", "/api/", "/api/nothing", "/api/search/", "/nothing", "/js", "/login/"):
        response = client.get(path)
        assert (response.status_code, response.json()) == (
            404,
            {"error": "there is nothing at this address"},
        ), path
    assert client.delete("/api/nothing").status_code == 404
    assert client.post("/").status_code == 405


def test_names_cannot_forge_lines_of_the_log() -> None:
    try:
        raise ValueError("a\nERROR: forged")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        "twobranch", logging.ERROR, "", 0, "GET %s", ("a.jpg\nERROR: forged\x1b[2J\u202e",), info
    )
    first, *others = SingleLineFormatter("%(levelname)s: %(message)s").format(record).split("\n")
    assert first == "ERROR: GET a.jpg\\x0aERROR: forged\\x1b[2J\\u202e"
    assert others
    assert all(line.startswith("  ") for line in others)
