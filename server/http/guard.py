"""Who gets an answer: who asks for this server by its name, not for another site, and knows the token."""

from __future__ import annotations

from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from twobranch.server.errors import problem
from twobranch.server.http.auth import Keeper
from twobranch.server.http.hosts import Hosts

# What is seen without the token.
OPEN = frozenset({"/healthz", "/login", "/login.css", "/base.css"})
_SAFE = ("GET", "HEAD", "OPTIONS")
# Who follows a link from another site brings no cookie that is SameSite=Strict, logged in or not; but who is
# sent on by this page does.
_ONCE_MORE = '<!doctype html><title>twobranch</title><meta http-equiv="refresh" content="0">'


class Guard:
    """An application behind its guard. Without a ``keeper`` no token is asked for."""

    def __init__(self, app: ASGIApp, hosts: Hosts, keeper: Keeper | None) -> None:
        self._app = app
        self._hosts = hosts
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is not let through."""
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
            return problem(403, "this request was made by the page of another site")
        if self._keeper is None or scope["path"] in OPEN:
            return None
        return _unless_let_in(scope, headers, self._keeper)


def _is_of_another_site(scope: Scope, headers: dict[str, str], host: str) -> bool:
    """Whether a browser says so. Links from elsewhere to the pages are no harm."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if _is_elsewhere(headers):
        is_link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        if not (is_link and scope["method"] in _SAFE and is_page(scope["path"])):
            return True
    if origin is None:  # no browser, or nothing that it sends one with
        return False
    if origin == "null" and site == "same-origin":  # a form of a page with Referrer-Policy: no-referrer
        return False
    return origin.partition("://")[2].lower() != host.lower()


def _is_elsewhere(headers: dict[str, str]) -> bool:
    """Whether a browser says that a page of another site or origin made it ask."""
    # Sites are coarser than origins: another port of this machine is of the same site.
    return headers.get("sec-fetch-site") in ("cross-site", "same-site")


def is_page(path: str) -> bool:
    """Whether a path is what a person opens in a browser."""
    return path in ("/", "/login") or (path.endswith(".html") and path.count("/") == 1)


def _unless_let_in(scope: Scope, headers: dict[str, str], keeper: Keeper) -> Response | None:
    """The answer to a visitor who does not show that he knows the token."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        client = client_of(scope)
        if not keeper.tries.may(client):
            return too_many_tries()
        if keeper.knows(token.strip()):
            return None
        keeper.tries.wrong(client)
    elif keeper.accepts(cookie_of(headers.get("cookie", ""), keeper.cookie)):
        return None
    if scope["method"] == "GET" and is_page(scope["path"]):
        if _is_elsewhere(headers):
            return HTMLResponse(_ONCE_MORE)
        # Relative, so that it holds behind a proxy that serves this under a path of its own.
        return Response(status_code=303, headers={"location": "login", "cache-control": "no-store"})
    answer = problem(401, "this needs the token: as `Authorization: Bearer TOKEN`, or log in on the page")
    answer.headers["www-authenticate"] = "Bearer"
    return answer


def too_many_tries() -> Response:
    """The answer to whom no token is taken from for a while."""
    answer = problem(429, "too many wrong tokens from this address; try again in ten minutes")
    answer.headers["retry-after"] = "600"
    return answer


def client_of(scope: Scope) -> str:
    """The address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def cookie_of(header: str, name: str) -> str:
    """The value of a cookie; empty if there is none.

    Not by ``http.cookies``, which reads no further than the first oddity: cookies do not know ports, so that
    other servers of this machine have theirs in the same header.
    """
    return cookie_parser(header).get(name, "")
