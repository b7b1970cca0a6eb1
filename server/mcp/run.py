"""Serve the tools over stdin and stdout, until stdin closes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from twobranch import __version__
from twobranch.indexer.catalog.reader import LibraryModel
from twobranch.retrieval.encoders import load_encoder
from twobranch.server.mcp.library import Library
from twobranch.server.mcp.tools import failure, tools_by_name
from twobranch.server.work.workers import Workers

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder

log = logging.getLogger("twobranch")
_INSTRUCTIONS = (
    "The photos of one library on this computer. `search` takes plain words; read its verdict before you "
    "trust the hits, and tell the user when nothing matches well. Paths in answers are files on the user's "
    "computer. Nothing can be changed."
)


class AssistantServer:
    """The server of a library's tools. One thread, which owns the library, answers all calls in turn."""

    def __init__(
        self,
        folder: Path,
        *,
        pictures: bool = False,
        load: Callable[[LibraryModel], Encoder] = load_encoder,
    ) -> None:
        """Take the library folder.

        With ``pictures`` there is a tool that shows photos. ``load`` returns the encoder of a model.
        """
        self._tools = tools_by_name(pictures=pictures)
        self._workers = Workers(1, lambda: Library(folder, load), "mcp")
        self.protocol: Server[Any] = Server(
            "twobranch",
            version=__version__,
            title="twobranch: photo search",
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    def close(self) -> None:
        """Wait for a running call, and close the library."""
        self._workers.close()

    async def _list(self, context: Any, request: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool.declaration() for tool in self._tools.values()])

    async def _call(self, context: Any, request: types.CallToolRequestParams) -> types.CallToolResult:
        tool = self._tools.get(request.name)
        if tool is None:
            return failure(f"there is no tool {request.name!r}; the tools are {', '.join(self._tools)}")
        given = request.arguments or {}
        try:
            return await self._workers.run(lambda library: tool.call(library, given))
        except Exception:
            log.exception("%s was not answered", tool.name)
            return failure("internal error; the log of the server has it, and `doctor` checks the library")


def run(folder: Path, *, pictures: bool) -> None:
    """Serve until stdin closes, Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    server = AssistantServer(folder, pictures=pictures)
    try:
        asyncio.run(_serve(server))
    except Exception as error:
        if not _is_hang_up(error):
            raise
    finally:
        server.close()


async def _serve(server: AssistantServer) -> None:
    async with stdio_server() as (incoming, outgoing):
        await server.protocol.run(incoming, outgoing, server.protocol.create_initialization_options())


def _is_hang_up(error: BaseException) -> bool:
    """Return True if the only failure was that the client is gone."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())  # of an exception group
    return all(map(_is_hang_up, inner)) if inner else isinstance(error, BrokenPipeError)


def _end(number: int, frame: FrameType | None) -> None:
    """End the process at once.

    A thread waits in a read of stdin, which nothing interrupts. The library is only read, so no state of it
    can be lost.
    """
    sys.stderr.flush()
    os._exit(0)
