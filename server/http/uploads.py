"""Uploaded pictures: receive the form, then decode one picture at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile

from twobranch.embedding.decode_limit import Patience
from twobranch.server.errors import Refused
from twobranch.server.http.disconnects import unless_left

Result = TypeVar("Result")

_TAKEN = 8  # forms that are received or queued at the same time; beyond its first megabyte each is on disk
_DECODED = 1  # pictures decoded at the same time: one of 128 megapixels takes up to 2.5 GB
_SECONDS = 20.0  # limit to decode a picture; the largest takes 5 s on the machine where this was written


def form_of(field: str, *, many: bool = False) -> dict[str, Any]:
    """Describe a form with a file, or with several, for OpenAPI.

    FastAPI's own declaration would accept a thousand files and fields in a form.
    """
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    value = {"type": "array", "items": file} if many else file
    schema = {"type": "object", "required": [field], "properties": {field: value}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


FORM = form_of("file")


class Uploads:
    """Receive and decode uploads, with limits on how many at a time.

    Further forms are refused and further pictures wait. For use in one event loop.
    """

    def __init__(self) -> None:
        self._n_taken = 0
        self._turn = asyncio.Semaphore(_DECODED)
        # Own threads: a picture that takes long must not block searches.
        self._threads = ThreadPoolExecutor(_DECODED, thread_name_prefix="upload")
        self._at_work: set[Patience] = set()

    @asynccontextmanager
    async def take(self, request: Request) -> AsyncIterator[UploadFile]:
        """Yield the ``file`` of the request's form, open inside the block. Raises ``Refused``."""
        async with self.take_files(request, 1) as (file,):
            yield file

    @asynccontextmanager
    async def take_files(self, request: Request, most: int) -> AsyncIterator[list[UploadFile]]:
        """Yield the files ``file`` of the request's form, open inside the block.

        There is at least one. Raises ``Refused``. The size of the form is limited in ``server.http.limits``.
        """
        if self._n_taken >= _TAKEN:
            raise Refused(503, "too many uploads at the same time; try again")
        self._n_taken += 1
        try:
            async with request.form(max_files=most, max_fields=4, max_part_size=4096) as form:
                files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
                if not files:
                    raise Refused(422, "file: upload one picture, as multipart/form-data")
                yield files
        except FormParserError:
            raise Refused(400, "the form cannot be read") from None
        finally:
            self._n_taken -= 1

    async def decode(
        self, request: Request, file: UploadFile, work: Callable[[bytes, Patience], Result]
    ) -> Result:
        """Return the result of ``work`` on the file, run in a thread.

        Waits for its turn first. Raises what ``work`` raises, ``Left`` when the client disconnects, and
        ``Refused`` when decoding takes too long. In the last two cases ``work`` is told to give up, and the
        next picture starts when it has ended.
        """
        await unless_left(request, self._turn.acquire())
        try:
            patience = Patience()
            self._at_work.add(patience)
            run = asyncio.get_running_loop().run_in_executor
            working = run(self._threads, work, await file.read(), patience)
            try:
                return await unless_left(request, _within(_SECONDS, working))
            except asyncio.TimeoutError:
                raise Refused(422, f"the picture takes more than {_SECONDS:.0f} s to decode") from None
            finally:
                patience.give_up()
                self._at_work.discard(patience)
                await asyncio.wait([working])
                if not working.cancelled():
                    working.exception()  # otherwise asyncio logs an unretrieved exception
        finally:
            self._turn.release()

    def close(self) -> None:
        """Tell running decoders to give up, and wait for them."""
        for patience in tuple(self._at_work):
            patience.give_up()
        self._threads.shutdown(cancel_futures=True)


async def _within(seconds: float, working: asyncio.Future[Result]) -> Result:
    """Return the result of the work within a time limit.

    Raises ``asyncio.TimeoutError``; the work itself continues.
    """
    return await asyncio.wait_for(asyncio.shield(working), seconds)
