"""Compression of answers with gzip.

An attacker who can have a victim's browser send requests, put text of his own into the answers and see their
compressed length, learns what else is in them (BREACH). Here he cannot begin: requests of other sites get no
answer, login cookies are not sent along with them, and no answer has the token.
"""

from __future__ import annotations

import asyncio
import gzip
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST_BYTES = 1000  # below that the answer fits one packet in any case
_LEVEL = 1  # of 9: a timeline of 1.2 MB takes 32 ms for 35%; level 6 takes 180 ms for 30%
_MOST_AT_ONCE = 65_536  # bytes; a longer answer is compressed in a thread, beside other requests
_REFUSED = re.compile(r"q=0(\.0*)?")
_TEXT = ("application/json", "application/manifest+json", "application/xml", "image/svg+xml")


def is_compressible(media_type: str) -> bool:
    """Return True for text. Pictures and archives are compressed already."""
    kind = media_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Return True if this header Accept-Encoding allows gzip."""
    allowed: dict[str, bool] = {}
    for part in accept_encoding.lower().replace(" ", "").split(","):
        coding, *parameters = part.split(";")
        allowed[coding] = not any(_REFUSED.fullmatch(parameter) for parameter in parameters)
    return allowed.get("gzip", allowed.get("*", False))


class Compression:
    """ASGI middleware that compresses text of ``LEAST_BYTES`` or more.

    Only whole answers: parts of files, answers without a body and streams are sent as they are. The ETag of a
    compressed answer becomes weak, since its bytes are others than those of the plain one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        answer = _Answer(send, accepts_gzip(asked.decode("latin-1")))
        await self._app(scope, receive, answer.send)


class _Answer:
    """One answer, whose head waits for the first part of the body."""

    def __init__(self, send: Send, may_compress: bool) -> None:
        self._send = send
        self._may_compress = may_compress
        self._head: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_candidate(message):
            self._head = {**message, "headers": list(message["headers"])}
            return
        head, self._head = self._head, None
        if head is not None:
            body = message.get("body", b"")
            if not message.get("more_body", False) and len(body) >= LEAST_BYTES:
                body = await self._compressed(MutableHeaders(raw=head["headers"]), body)
                message = {**message, "body": body}
            await self._send(head)
        await self._send(message)

    async def _compressed(self, headers: MutableHeaders, body: bytes) -> bytes:
        """Return the body as it is sent. Changes the headers to fit."""
        if "accept-encoding" not in headers.get("vary", "").lower():
            headers.add_vary_header("Accept-Encoding")
        if not self._may_compress:
            return body
        if len(body) > _MOST_AT_ONCE:
            body = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
        else:
            body = gzip.compress(body, _LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
        if "etag" in headers and not headers["etag"].startswith("W/"):
            headers["ETag"] = f"W/{headers['etag']}"
        return body


def _is_candidate(head: Message) -> bool:
    headers = MutableHeaders(raw=list(head["headers"]))
    return (
        head["status"] not in (204, 206, 304)
        and "content-encoding" not in headers
        and is_compressible(headers.get("content-type", ""))
    )
