"""Work for somebody who may leave before it is done: a browser takes back what it no longer shows."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

Result = TypeVar("Result")


class Left(Exception):
    """The client has gone away: nobody reads an answer."""


async def unless_left(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What ``work`` gives; for requests whose body, if any, has been read.

    Raises what it raises, and ``Left`` when the client goes away meanwhile; then it is cancelled.
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
