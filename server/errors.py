"""Errors as JSON: ``{"error": "…"}`` with a line that a person can act on, and never a stack trace."""

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
    """What went wrong."""

    error: str


# What FastAPI describes otherwise is its own answer, which is never given here.
INVALID: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "A parameter that there is not, or a value that it cannot have"}
}


class Refused(Exception):
    """A request that cannot be answered: an HTTP status and a line of text."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def not_found(what: str) -> Refused:
    """For an id that nothing has."""
    return Refused(404, f"there is no {what}; it may have left the library")


def problem(status: int, error: str) -> JSONResponse:
    """The answer for a request that failed."""
    return JSONResponse({"error": error}, status)


# Text from the operating system may hold what UTF-8 cannot: names of files that are not in it.
def printable(text: str) -> str:
    """The text, with what cannot be written as UTF-8 replaced."""
    return text.encode("utf-8", "replace").decode()


def add_error_handlers(app: FastAPI) -> None:
    """Answers every error as JSON."""

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
        return problem(500, "a defect of the server or of the library; its log and `doctor` say more")
