"""``/login``: a page with one field, which takes the token and gives a cookie for it."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from twobranch.server.http.auth import DAYS, Keeper
from twobranch.server.http.guard import client_of, cookie_of

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>twobranch: {title}</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="base.css">
  <link rel="stylesheet" href="login.css">
</head>
<body>
  <main class="login">
    <h1>twobranch</h1>
    {content}
  </main>
</body>
</html>
"""
_LOG_IN = """<form method="post" action="login">
      <input name="username" autocomplete="username" value="twobranch" hidden>
      <label for="token">The token that <code>serve</code> was started with</label>
      <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
      {problem}
      <button>Log in</button>
    </form>"""
_LOG_OUT = """<p>You are logged in. <a href="./">Search</a></p>
    <form method="post" action="logout"><button>Log out</button></form>"""


@router.get("/login")
async def login_page(request: Request) -> Response:
    """The field; for who is logged in already, the way out."""
    keeper = _keeper(request)
    if keeper is None:
        return _to("./")
    return _page(_LOG_OUT, "log out") if keeper.accepts(_cookie(request, keeper)) else _field()


@router.post("/login")
async def log_in(request: Request) -> Response:
    """A cookie for the token."""
    keeper = _keeper(request)
    if keeper is None:
        return _to("./")
    token = _token(await request.body())
    client = client_of(request.scope)
    if not keeper.tries.may(client):
        return _field("Too many wrong tokens; try again in ten minutes.", 429)
    if not keeper.knows(token):
        keeper.tries.wrong(client)
        return _field("That is not the token.", 403)
    answer = _to("./")
    _set_cookie(answer, request, keeper.cookie, keeper.issue(), DAYS * 86_400)
    return answer


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """The cookie is taken back."""
    answer = _to("login")
    keeper = _keeper(request)
    if keeper is not None:
        keeper.revoke(_cookie(request, keeper))
        _set_cookie(answer, request, keeper.cookie, "", 0)
    return answer


def _set_cookie(answer: Response, request: Request, name: str, value: str, seconds: int) -> None:
    # No path: the browser takes the one of this page, which behind a proxy only the browser knows.
    is_secure = request.url.scheme == "https"
    answer.set_cookie(name, value, seconds, path=None, secure=is_secure, httponly=True, samesite="strict")


def _token(form: bytes) -> str:
    """The token in what the form sent; empty if there is none."""
    try:
        return parse_qs(form.decode("utf-8", "replace"), max_num_fields=10).get("token", [""])[0].strip()
    except ValueError:  # more fields than that
        return ""


def _keeper(request: Request) -> Keeper | None:
    keeper = request.app.state.keeper
    assert keeper is None or isinstance(keeper, Keeper)
    return keeper


def _cookie(request: Request, keeper: Keeper) -> str:
    return cookie_of(request.headers.get("cookie", ""), keeper.cookie)


def _to(address: str) -> Response:
    return RedirectResponse(address, 303)


def _field(problem: str = "", status: int = 200) -> Response:
    shown = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _page(_LOG_IN.format(problem=shown), "log in", status)


def _page(content: str, title: str, status: int = 200) -> Response:
    # With `no-referrer`, as elsewhere, browsers would say `Origin: null` when they send these forms, and
    # that is also what a page of another site says which hides where it comes from.
    headers = {"referrer-policy": "same-origin", "cache-control": "no-store"}
    return HTMLResponse(_PAGE.format(title=title, content=content), status, headers)
