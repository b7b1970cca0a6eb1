"""Answers 404 and 405, and OPTIONS requests, with the allowed methods."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from twobranch.server.errors import problem

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def http_error(request: Request, error: Exception) -> Response:
    """Return the answer for an ``HTTPException`` of routing or parsing.

    A method that is not allowed gets 405, and OPTIONS 204, with the allowed methods in the header Allow.
    """
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return problem(404, "there is nothing at this address")
    if error.status_code != 405:
        return problem(error.status_code, str(error.detail))
    allowed = _allowed(request)
    if request.method == "OPTIONS":
        answer = Response(status_code=204)
    else:
        answer = problem(405, f"this address only allows {allowed}")
    answer.headers["allow"] = allowed
    return answer


def _allowed(request: Request) -> str:
    """Return the methods that this path allows, for the header Allow."""
    app: FastAPI = request.app
    plain = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    found = [
        method
        for method in _METHODS
        if any(route.matches({**plain, "method": method})[0] is Match.FULL for route in app.router.routes)
    ]
    return ", ".join([*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"])
