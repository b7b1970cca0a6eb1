"""Logging in with the token, and out again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder
from tests.server.serving import Reply, request, send, serving
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.http.auth import FailedAttempts, TokenAuth
from twobranch.server.settings import Settings

TOKEN = "a-token-for-tests"
Open = Callable[..., TestClient]


@pytest.fixture
def open_client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[Open]:
    """``open_client(token)``: a browser at a server that was just started with this token."""
    update_library(library, [photos], encoder)
    with ExitStack() as stack:

        def open_(token: str | None = TOKEN, url: str = "http://127.0.0.1") -> TestClient:
            app = create_app(Settings(library, token=token), load=lambda model: encoder)
            return stack.enter_context(TestClient(app, url, follow_redirects=False))

        yield open_


def log_in(client: TestClient, token: str = TOKEN) -> Any:
    return client.post("/login", data={"token": token}, headers={"Origin": str(client.base_url)})


def test_a_cookie_for_the_token(open_client: Open) -> None:
    client = open_client()
    page = client.get("/login").text
    assert '<form method="post" action="login">' in page
    assert "<script" not in page and "style=" not in page  # what the policy of contents would not run
    response = log_in(client)
    assert (response.status_code, response.headers["location"]) == (303, "./")
    cookie = response.headers["set-cookie"]
    name, value = cookie.split(";")[0].split("=", 1)
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age=2592000" in cookie
    assert "Path" not in cookie  # behind a proxy only the browser knows it
    assert "Secure" not in cookie
    assert client.get("/api/search").status_code == 200
    beside_others = {"Cookie": f'theirs={{"a": [1, "b"]}}; {name}={value}; theirs@2="'}
    assert open_client().get("/api/search", headers=beside_others).status_code == 200
    for forged in (
        value[:-1] + ("0" if value[-1] != "0" else "1"),
        "f" + value,
        TOKEN,
        "",
        "..",
        "x.y.z",
        "é",
    ):
        assert (
            open_client()
            .get("/api/search", headers={"Cookie": f"{name}={forged}".encode("latin-1")})
            .status_code
            == 401
        )


@pytest.mark.parametrize(
    ("link", "location"),
    [
        ("/?q=a+dog&photo=7", "./?q=a+dog&photo=7"),
        ("/?q=%C3%A9t%C3%A9%20%26%20%3Cb%3E", "./?q=%C3%A9t%C3%A9%20%26%20%3Cb%3E"),
        ("/model.html?split=dev", "./model.html?split=dev"),
        ("/api.html", "./api.html"),
        ("/", "./"),
        (f"/?q={'x' * 9000}", "./"),  # escaped twice it would become longer than an URL may be
    ],
)
def test_the_login_leads_to_the_link_that_was_followed(open_client: Open, link: str, location: str) -> None:
    client = open_client()
    login = client.get(client.get(link).headers["location"])
    field = re.search(r'name="next" value="([^"]*)"', login.text)
    assert field is not None
    wanted = unescape(field[1])
    wrong = client.post("/login", data={"token": "wrong", "next": wanted})
    assert field[0] in wrong.text  # kept for the next try
    response = client.post("/login", data={"token": TOKEN, "next": wanted})
    assert (response.status_code, response.headers["location"]) == (303, location)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "../other/",
        "model.html/../../other",
        "model.html:80",
        "?q=\r\nSet-Cookie: a=b",
        '"><script>',
        "?q=\u00e9",
        "?" + "x" * 8000,
    ],
)
def test_the_login_leads_to_no_other_place(open_client: Open, elsewhere: str) -> None:
    client = open_client()
    assert 'name="next" value=""' in client.get("/login", params={"next": elsewhere}).text
    response = client.post("/login", data={"token": TOKEN, "next": elsewhere})
    assert (response.status_code, response.headers["location"]) == (303, "./")
    assert open_client(None).get("/login", params={"next": elsewhere}).headers["location"] == "./"


def test_by_https_the_cookie_is_secure(open_client: Open) -> None:
    assert "Secure" in log_in(open_client(url="https://127.0.0.1")).headers["set-cookie"]


def test_a_proxy_on_this_machine_says_who_asks_and_how(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    update_library(library, [photos], encoder)
    settings = Settings(library, token=TOKEN, allowed_hosts=("photos.example.org",))
    kind = "Content-Type: application/x-www-form-urlencoded"
    proxied = (kind, "X-Forwarded-Proto: https", "Origin: https://photos.example.org:8443")

    def answer(client: str, token: str) -> Reply:
        headers = (*proxied, f"X-Forwarded-For: {client}")
        data = request("POST", "/login", *headers, body=f"token={token}".encode())
        return send(port, data.replace(b"Host: 127.0.0.1", b"Host: photos.example.org:8443"))

    with serving(create_app(settings, load=lambda model: encoder)) as port:
        assert "Secure" in answer("10.0.0.1", TOKEN).headers["set-cookie"]
        assert [answer("10.0.0.1", "wrong").status for _ in range(11)] == [403] * 10 + [429]
        assert answer("10.0.0.2", TOKEN).status == 303  # somebody else
        # The proxy appends whom it has seen; what stands before is what that one says.
        assert answer("10.0.0.3, 10.0.0.1", TOKEN).status == 429


def test_logging_out(open_client: Open) -> None:
    client = open_client()
    log_in(client)
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    assert 'action="logout"' in client.get("/login").text
    response = client.post("/logout")
    assert (response.status_code, response.headers["location"]) == (303, "login")
    assert client.get("/api/search").status_code == 401  # the browser has forgotten it
    assert (
        client.get("/api/search", headers=cookie).status_code == 401
    )  # and to the server it is worth nothing


def test_wrong_tokens(open_client: Open) -> None:
    client = open_client()
    answers = [log_in(client, "wrong<b>") for _ in range(10)]
    assert {answer.status_code for answer in answers} == {403}
    assert "not the token" in answers[0].text and "wrong<b>" not in answers[0].text
    assert log_in(client).status_code == 429  # not even the right one, for a while
    for body in (b"", b"token", b"\xff=\xfe", b"&" * 5000, b"token=" + b"a" * 70_000):
        assert open_client().post("/login", content=body).status_code in (403, 413)


def test_restarts(open_client: Open) -> None:
    first = open_client()
    log_in(first)
    same, other = open_client(), open_client("another-token")
    for client, status in ((same, 200), (other, 401)):
        client.cookies = first.cookies
        assert client.get("/api/search").status_code == status


def test_without_a_token_there_is_nothing_to_log_in_to(open_client: Open) -> None:
    client = open_client(None)
    for response in (client.get("/login"), log_in(client)):
        assert (response.status_code, response.headers["location"]) == (303, "./")
        assert "set-cookie" not in response.headers
    assert client.post("/logout").status_code == 303


def test_cookies_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("twobranch.server.http.auth.time", lambda: now)
    auth = TokenAuth(TOKEN)
    cookie = auth.issue()
    assert cookie != auth.issue()
    now += 30 * 86_400 - 1
    assert auth.accepts(cookie)
    now += 1
    assert not auth.accepts(cookie)


def test_two_servers_on_one_machine_have_cookies_of_their_own() -> None:
    one, two = TokenAuth(TOKEN), TokenAuth("another-token")
    assert one.cookie != two.cookie
    assert not two.accepts(one.issue())


def test_a_household_has_one_number_of_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twobranch.server.http.auth._MOST", 3)
    failures = FailedAttempts()
    for n in range(10):
        failures.add(f"2001:db8:0:1::{n}")
    assert not failures.allow("2001:db8:0:1:ffff::1")
    assert failures.allow("2001:db8:0:2::1")
    for client in ("10.0.0.1", "10.0.0.2", "unix"):  # the oldest address is forgotten
        failures.add(client)
    assert failures.allow("2001:db8:0:1::1")
