"""Limits on request bodies: size, speed, and methods without a body."""

from __future__ import annotations

import asyncio
from time import monotonic

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twobranch.server.errors import problem

_PLAIN = 65_536  # bytes of a body without an upload; with one, bytes of the form around the picture
_GRACE = 20.0  # seconds that any body may take
_SLOWEST = 20_000  # bytes a second, on average, that a longer body must deliver
_LINGER = 2.0  # seconds to drain an unread body; see `closing`


class RequestLimits:
    """ASGI middleware that limits the size and duration of request bodies.

    ``max_upload``: bytes of a picture in a form; any other body is limited to ``_PLAIN`` bytes.
    """

    def __init__(self, app: ASGIApp, max_upload: int) -> None:
        self._app = app
        self._max_upload = max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if length == b"0" and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        is_form = headers.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
        body = _Body(receive, self._max_upload + _PLAIN if is_form else _PLAIN)
        send = body.closing(send)
        if scope["method"] in ("GET", "OPTIONS"):
            await problem(400, f"a {scope['method']} request has no body")(scope, receive, send)
        elif length.isdigit() and int(length[:20]) > body.limit:
            await problem(413, body.too_large)(scope, receive, send)
        else:
            await self._app(scope, body.receive, send)


class _Body:
    """The body of one request. Counts the bytes received; Content-Length is not trusted."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self.limit = limit
        self.too_large = f"larger than the limit of {limit // 1000:,} kB"
        self._n_bytes = 0
        self._ended = False
        self._started = monotonic()

    async def receive(self) -> Message:
        """Return the next part of the body.

        Raises ``HTTPException``: 413 if the body is too large, 408 if too slow, 400 if incomplete.
        """
        if self._ended:  # the next message is the disconnect, which may come at any time
            return await self._receive()
        left = self._started + _GRACE + self._n_bytes / _SLOWEST - monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0))
        except asyncio.TimeoutError:
            raise HTTPException(408, "the request came too slowly") from None
        self._n_bytes += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "the request broke off")
        if self._n_bytes > self.limit:
            raise HTTPException(413, self.too_large)
        return message

    def closing(self, send: Send) -> Send:
        """Wrap ``send`` to close the connection if the body is unread.

        An immediate close would reset the connection while the client still sends, and many clients then
        never read the answer. So the rest of the body is drained first, for at most ``_LINGER`` seconds.
        """

        async def send_and_close(message: Message) -> None:
            if not self._ended:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
                elif not message.get("more_body", False):
                    await send({**message, "more_body": True})
                    await self._drain()
                    message = {"type": "http.response.body"}
            await send(message)

        return send_and_close

    async def _drain(self) -> None:
        until = monotonic() + _LINGER
        while not self._ended and (left := until - monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), left)
            except asyncio.TimeoutError:
                return
            self._ended = not message.get("more_body", False)
