"""Pictures that are handed in: one file in a form, so many forms at a time, and one picture after another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile

from server.errors import Refused

_TAKEN = 8  # forms that are received or wait at the same time; each is on disk but for its first megabyte
_DECODED = 1  # pictures at the same time: one of 128 megapixels takes up to 2.5 GB
# For OpenAPI; FastAPI's own way to declare it takes a thousand files and fields in a form.
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


class Uploads:
    """Takes pictures in; what is too much at once is refused or waits. For one event loop."""

    def __init__(self) -> None:
        self._n_taken = 0
        self._decoding = asyncio.Semaphore(_DECODED)

    @asynccontextmanager
    async def take(self, request: Request) -> AsyncIterator[bytes]:
        """The bytes of ``file`` in a request's form; the block is where the picture is decoded.

        Raises ``Refused``. How large the form may be is the matter of ``server.bodies``.
        """
        if self._n_taken >= _TAKEN:
            raise Refused(503, "too many pictures at the same time; try again")
        self._n_taken += 1
        try:
            async with request.form(max_files=1, max_fields=4, max_part_size=4096) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise Refused(422, "file: hand in one picture, as multipart/form-data")
                async with self._decoding:
                    yield await file.read()
        except FormParserError:
            raise Refused(400, "the form cannot be read") from None
        finally:
            self._n_taken -= 1
