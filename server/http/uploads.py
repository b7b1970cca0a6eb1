"""Pictures that are handed in: one file in a form, so many forms at a time, and one picture after another."""

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

_TAKEN = 8  # forms that are received or wait at the same time; each is on disk but for its first megabyte
_DECODED = 1  # pictures at the same time: one of 128 megapixels takes up to 2.5 GB
_SECONDS = 20.0  # that a picture may take; the largest takes 5 on the machine where this was written
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
        self._turn = asyncio.Semaphore(_DECODED)
        # Threads of its own: a picture that takes long must not keep those that search.
        self._threads = ThreadPoolExecutor(_DECODED, thread_name_prefix="upload")
        self._at_work: set[Patience] = set()

    @asynccontextmanager
    async def take(self, request: Request) -> AsyncIterator[UploadFile]:
        """The ``file`` in a request's form, for as long as the block lasts.

        Raises ``Refused``. How large the form may be is the matter of ``server.http.limits``.
        """
        if self._n_taken >= _TAKEN:
            raise Refused(503, "too many pictures at the same time; try again")
        self._n_taken += 1
        try:
            async with request.form(max_files=1, max_fields=4, max_part_size=4096) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise Refused(422, "file: hand in one picture, as multipart/form-data")
                yield file
        except FormParserError:
            raise Refused(400, "the form cannot be read") from None
        finally:
            self._n_taken -= 1

    async def decode(
        self, request: Request, file: UploadFile, work: Callable[[bytes, Patience], Result]
    ) -> Result:
        """What ``work`` makes of a file that was taken, in a thread, when it is its turn.

        Raises what ``work`` does, ``Left`` when the client goes away, and ``Refused`` when it takes too long;
        then ``work`` is given up, and the next has its turn when it has noticed.
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
                    working.exception()  # asyncio complains of those that nobody has looked at
        finally:
            self._turn.release()

    def close(self) -> None:
        """Gives up what is being decoded, and waits for it."""
        for patience in tuple(self._at_work):
            patience.give_up()
        self._threads.shutdown(cancel_futures=True)


async def _within(seconds: float, working: asyncio.Future[Result]) -> Result:
    """What comes of the work. Raises ``asyncio.TimeoutError``; the work itself goes on."""
    return await asyncio.wait_for(asyncio.shield(working), seconds)
