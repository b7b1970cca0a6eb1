"""Cancel work when the client disconnects.

Browsers abort requests for content that they no longer show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

Result = TypeVar("Result")


class Left(Exception):
    """The client has disconnected, so an answer would not be read."""


async def unless_left(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of ``work`` unless the client disconnects first.

    Raises what ``work`` raises. Raises ``Left``, and cancels ``work``, when the client disconnects. The body
    of the request, if it has one, must have been read before.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Left
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
