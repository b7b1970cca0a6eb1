"""Access control: the Host header, requests from other sites, and the token."""

from __future__ import annotations

from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from twobranch.server.api.page_files import without_version
from twobranch.server.errors import problem
from twobranch.server.http.auth import TokenAuth
from twobranch.server.http.hosts import Hosts
from twobranch.server.http.next_page import login_address

# Paths that are served without the token, the version in them left out.
OPEN = frozenset({"/healthz", "/login", "/login.css", "/base.css", "/manifest.webmanifest"})
_ICONS = "/icons/"  # browsers fetch a manifest and its icons without cookies
_SAFE = ("GET", "HEAD", "OPTIONS")
# A browser that follows a link from another site sends no SameSite=Strict cookie, even when logged in. This
# page reloads the address from our own site, and that request carries the cookie.
_RELOAD = '<!doctype html><title>twobranch</title><meta http-equiv="refresh" content="0">'


class Guard:
    """ASGI middleware for access control. Without ``auth`` no token is required."""

    def __init__(self, app: ASGIApp, hosts: Hosts, auth: TokenAuth | None) -> None:
        self._app = app
        self._hosts = hosts
        self._auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a refused request; None if it is allowed."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return problem(400, "a request has one Host header")
        host = headers["host"]
        if not self._hosts.knows(host):
            return problem(
                421, f"this server is not known as {host[:100]!r}; `serve --allow-host` changes that"
            )
        if _is_of_another_site(scope, headers, host):
            return problem(403, "this request was made by a page of another site")
        if self._auth is None or _is_open(without_version(scope["path"])):
            return None
        return _refuse_without_token(scope, headers, self._auth)


def _is_of_another_site(scope: Scope, headers: dict[str, str], host: str) -> bool:
    """Return True if a page of another site made this request.

    Links from other sites to our pages are harmless and allowed.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if _is_elsewhere(headers):
        is_link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        if not (is_link and scope["method"] in _SAFE and is_page(scope["path"])):
            return True
    if origin is None:  # not a browser, or a request for which browsers send no Origin
        return False
    if origin == "null" and site == "same-origin":  # a form of a page with Referrer-Policy: no-referrer
        return False
    return origin.partition("://")[2].lower() != host.lower()


def _is_elsewhere(headers: dict[str, str]) -> bool:
    """Return True if the browser reports another site or origin."""
    # A site covers more than an origin: another port of this machine is "same-site", but another origin.
    return headers.get("sec-fetch-site") in ("cross-site", "same-site")


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(_ICONS)


def is_page(path: str) -> bool:
    """Return True for the path of an HTML page."""
    return path in ("/", "/login") or (path.endswith(".html") and path.count("/") == 1)


def _refuse_without_token(scope: Scope, headers: dict[str, str], auth: TokenAuth) -> Response | None:
    """Return the answer to a request without the token.

    None if the request has the token, as a Bearer header, or the cookie of a login.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        client = client_of(scope)
        if not auth.failures.allow(client):
            return too_many_attempts()
        if auth.knows(token.strip()):
            return None
        auth.failures.add(client)
    elif auth.accepts(cookie_of(headers.get("cookie", ""), auth.cookie)):
        return None
    if scope["method"] == "GET" and is_page(scope["path"]):
        if _is_elsewhere(headers):
            return HTMLResponse(_RELOAD)
        location = login_address(scope["path"], scope["query_string"].decode("latin-1"))
        return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})
    answer = problem(401, "this needs the token: as `Authorization: Bearer TOKEN`, or log in on the page")
    answer.headers["www-authenticate"] = "Bearer"
    return answer


def too_many_attempts() -> Response:
    """Return the 429 answer: too many failed attempts."""
    answer = problem(429, "too many wrong tokens from this address; try again in ten minutes")
    answer.headers["retry-after"] = "600"
    return answer


def client_of(scope: Scope) -> str:
    """Return the client address of a request; "" if it is unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def cookie_of(header: str, name: str) -> str:
    """Return the value of a cookie; "" if it is missing.

    ``http.cookies`` is not used, because it stops at the first malformed cookie. Cookies ignore ports, so the
    header also carries the cookies of other servers on this machine.
    """
    return cookie_parser(header).get(name, "")
