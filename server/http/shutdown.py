"""What is under way when the server ends."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twobranch.server.errors import problem


class Ending:
    """An application that answers what is cut short when the server ends. uvicorn would log a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_answered = scope["type"] != "http"

        async def send_and_look(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        except asyncio.CancelledError:
            if not is_answered:
                await problem(503, "the server is ending")(scope, receive, send)
