"""The tools: names, descriptions, and calls as the protocol has them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp import types
from pydantic import ValidationError

from twobranch.common.errors import UserError
from twobranch.common.progress import one_line
from twobranch.server.mcp.arguments import (
    Arguments,
    PhotoArguments,
    SearchArguments,
    SimilarArguments,
    StatusArguments,
    WhereArguments,
)
from twobranch.server.mcp.library import Library


@dataclass(frozen=True)
class LibraryTool:
    """A tool that asks the library. ``ask`` returns JSON data, or a JPEG as bytes."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    ask: Callable[[Library, Any], dict[str, Any] | bytes]

    def declaration(self) -> types.Tool:
        """Return the tool as clients list it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.arguments.model_json_schema(by_alias=True),
            annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
        )

    def call(self, library: Library, given: dict[str, Any]) -> types.CallToolResult:
        """Return the tool's answer. A mistake of the caller is an error in it, of one line."""
        try:
            return _result(self.ask(library, self.arguments.model_validate(given)))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "arguments"
            return failure(f"{where}: {first['msg']}")
        except UserError as error:
            return failure(str(error))
        except OSError as error:
            return failure(f"{error.filename or self.name}: {error.strerror or error}")


_TOOLS = (
    LibraryTool(
        "search",
        "Search photos",
        "Find photos by what they show, in plain words of many languages, and by date, folder, camera and "
        "place. Each hit has its path, date, tier (likely, perhaps, rest), confidence and captions; "
        "`verdict` says in one sentence how well the hits match. Hits of the tier `rest` probably do not.",
        SearchArguments,
        Library.search,
    ),
    LibraryTool(
        "similar",
        "Similar photos",
        "Find photos that look like one of the library.",
        SimilarArguments,
        Library.similar,
    ),
    LibraryTool(
        "where",
        "Where in a photo",
        "Find where in a photo of the library something is. Each phrase has regions with a box (left, top, "
        "right, bottom, in pixels of the upright photo) and a confidence; no region: it is not there.",
        WhereArguments,
        Library.where,
    ),
    LibraryTool(
        "status",
        "State of the library",
        "Tell how many photos and captions are indexed, from which folders, with which model, and what "
        "could not be read.",
        StatusArguments,
        Library.status,
    ),
)
_PICTURE = LibraryTool(
    "photo",
    "Look at a photo",
    "Return a photo of the library as a small picture, to look at.",
    PhotoArguments,
    Library.picture,
)


def tools_by_name(*, pictures: bool) -> dict[str, LibraryTool]:
    """Return the tools by name. With ``pictures`` one of them shows photos."""
    return {tool.name: tool for tool in (*_TOOLS, *([_PICTURE] if pictures else []))}


def failure(text: str) -> types.CallToolResult:
    """Return an error of one line, for the assistant to read."""
    return types.CallToolResult(content=[_text(one_line(text))], is_error=True)


def _result(answer: dict[str, Any] | bytes) -> types.CallToolResult:
    """Return an answer as content. JSON is given as text too, as clients of older versions read it."""
    if isinstance(answer, bytes):
        picture = types.ImageContent(
            type="image", data=base64.b64encode(answer).decode(), mime_type="image/jpeg"
        )
        return types.CallToolResult(content=[picture])
    text = _printable(json.dumps(answer, ensure_ascii=False))
    return types.CallToolResult(content=[_text(text)], structured_content=json.loads(text))


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=_printable(text))


def _printable(text: str) -> str:
    """Replace what UTF-8 cannot encode, as in file names in other encodings."""
    return text.encode("utf-8", "replace").decode()
