"""Security headers for every answer, and HEAD requests.

HEAD is answered as GET without the body.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The page may load only its own scripts, styles and pictures, even if foreign markup gets into its text.
_CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# There is no Access-Control-* header, so pages of other sites cannot read any answer.
HEADERS: dict[bytes, bytes] = {
    b"content-security-policy": _CONTENT.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# Default for the API: its answers are private. An answer that may be cached sets its own header.
_NOT_KEPT = (b"cache-control", b"no-store")


class Headers:
    """ASGI middleware that adds ``HEADERS``. A header that the answer sets itself is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}  # FastAPI's routes do not handle HEAD
        is_api = scope["path"].startswith("/api/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _ in headers}
                headers += [pair for pair in HEADERS.items() if pair[0] not in given]
                if is_api and _NOT_KEPT[0] not in given:
                    headers.append(_NOT_KEPT)
                message = {**message, "headers": headers}
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, send_with_headers)
