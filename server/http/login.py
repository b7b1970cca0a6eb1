"""``/login`` and ``/logout``: a form that exchanges the token for a cookie."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from twobranch.server.api.page_files import Page
from twobranch.server.http.auth import DAYS, TokenAuth
from twobranch.server.http.guard import client_of, cookie_of
from twobranch.server.http.next_page import address_of, is_ours

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>twobranch: {title}</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="{base}">
  <link rel="stylesheet" href="{login}">
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
      <input name="next" value="{next}" hidden>
      <input name="username" autocomplete="username" value="twobranch" hidden>
      <label for="token">The token that <code>serve</code> was started with</label>
      <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
      {problem}
      <button>Log in</button>
    </form>"""
_LOG_OUT = """<p>You are logged in. <a href="./">Search</a></p>
    <form method="post" action="logout"><button>Log out</button></form>"""


@router.get("/login")
async def login_page(request: Request, next: str = "") -> Response:
    """Show the login form, or the logout form to logged-in visitors.

    ``next``: the address to go on to, as ``server.http.next_page`` writes it.
    """
    auth = _auth(request)
    if auth is None:
        return _to(address_of(next))
    if auth.accepts(cookie_in(request, auth)):
        return _page(request, _LOG_OUT, "log out")
    return _form_page(request, next)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Check the token and set the cookie. 403: wrong token; 429: too many of them."""
    auth = _auth(request)
    if auth is None:
        return _to("./")
    form = _form(await request.body())
    token, wanted = form.get("token", "").strip(), form.get("next", "")
    client = client_of(request.scope)
    if not auth.failures.allow(client):
        return _form_page(request, wanted, "Too many wrong tokens; try again in ten minutes.", 429)
    if not auth.knows(token):
        auth.failures.add(client)
        return _form_page(request, wanted, "That is not the token.", 403)
    answer = _to(address_of(wanted))
    _set_cookie(answer, request, auth.cookie, auth.issue(), DAYS * 86_400)
    return answer


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Revoke the cookie and delete it in the browser."""
    answer = _to("login")
    auth = _auth(request)
    if auth is not None:
        auth.revoke(cookie_in(request, auth))
        _set_cookie(answer, request, auth.cookie, "", 0)
    return answer


def _set_cookie(answer: Response, request: Request, name: str, value: str, seconds: int) -> None:
    # Without a path the browser uses that of this page. Behind a proxy the server does not know it.
    is_secure = request.url.scheme == "https"
    answer.set_cookie(name, value, seconds, path=None, secure=is_secure, httponly=True, samesite="strict")


def _form(body: bytes) -> dict[str, str]:
    """Return the fields of a form by name. None of them if there are too many."""
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _auth(request: Request) -> TokenAuth | None:
    auth = request.app.state.auth
    assert auth is None or isinstance(auth, TokenAuth)
    return auth


def cookie_in(request: Request, auth: TokenAuth) -> str:
    """Return the login cookie of a request; "" if it has none."""
    return cookie_of(request.headers.get("cookie", ""), auth.cookie)


def _to(address: str) -> Response:
    return RedirectResponse(address, 303)


def _form_page(request: Request, wanted: str, problem: str = "", status: int = 200) -> Response:
    shown = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    content = _LOG_IN.format(problem=shown, next=escape(wanted if is_ours(wanted) else ""))
    return _page(request, content, "log in", status)


def _page(request: Request, content: str, title: str, status: int = 200) -> Response:
    page: Page = request.app.state.page
    styles = {"base": page.address("base.css"), "login": page.address("login.css")}
    # The other pages use `no-referrer`. With it, browsers would send these forms with `Origin: null`, as a
    # page of another site that hides its origin does.
    headers = {"referrer-policy": "same-origin", "cache-control": "no-store"}
    return HTMLResponse(_PAGE.format(title=title, content=content, **styles), status, headers)
