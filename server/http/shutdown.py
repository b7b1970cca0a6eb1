"""Answers to requests that are interrupted by the end of the server."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twobranch.server.errors import problem


class Shutdown:
    """ASGI middleware that answers 503 to requests cancelled by the server's end.

    Without it uvicorn would log a traceback.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_answered = scope["type"] != "http"

        async def send_and_note(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if not is_answered:
                await problem(503, "the server is ending")(scope, receive, send)
