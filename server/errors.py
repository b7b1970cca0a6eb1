"""Error answers as JSON: ``{"error": "…"}``.

The text is one line that a person can act on, never a stack trace.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from twobranch.common.errors import LargeImageError, LibraryError, ModelError, UserError
from twobranch.retrieval.request import PhotoNotFoundError

log = logging.getLogger("twobranch")


class Problem(BaseModel):
    """The body of every error answer."""

    error: str


# Replaces FastAPI's default description of status 422: this server never sends FastAPI's own error body.
INVALID: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "An unknown parameter, or an invalid value"}
}


class Refused(Exception):
    """Raised to refuse a request, with HTTP status and text."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def not_found(what: str) -> Refused:
    """Return the 404 error for an unknown id or name."""
    return Refused(404, f"there is no {what}; it may have left the library")


def problem(status: int, error: str) -> JSONResponse:
    """Return the JSON answer to a failed request."""
    return JSONResponse({"error": error}, status)


def printable(text: str) -> str:
    """Replace the characters that UTF-8 cannot encode.

    Text from the operating system may contain them, as in file names in other encodings.
    """
    return text.encode("utf-8", "replace").decode()


def add_error_handlers(app: FastAPI) -> None:
    """Add handlers that answer every error as JSON."""

    @app.exception_handler(UserError)
    async def user_error(request: Request, error: UserError) -> JSONResponse:
        if isinstance(error, LargeImageError):
            return problem(413, printable(str(error)))
        if isinstance(error, PhotoNotFoundError):
            return problem(404, printable(str(error)))
        status = 503 if isinstance(error, (LibraryError, ModelError)) else 400
        return problem(status, printable(str(error)))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return problem(error.status, printable(error.error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "request"
        return problem(422, printable(f"{where}: {first['msg']}"))

    @app.exception_handler(Exception)
    async def crash(request: Request, error: Exception) -> JSONResponse:
        # uvicorn logs the traceback.
        log.error("%s %r was not answered: %s", request.method, request.url.path, type(error).__name__)
        return problem(500, "internal error; see the server's log, and check the library with `doctor`")
