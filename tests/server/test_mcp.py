"""Tools for assistants, asked by the SDK's own client in memory."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

from mcp import Client, types
from PIL import Image, ImageDraw

from tests.fakes import FakeEncoder, write_photo
from tests.test_imports import ROOT
from twobranch.indexer.update.library import update_library
from twobranch.server.mcp.run import AssistantServer

Call = Callable[..., types.CallToolResult]


@pytest.fixture
def server(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[AssistantServer]:
    """Over red, green and blue photos; the red one has two captions."""
    captions = photos / "captions.tsv"
    captions.write_text("image\tcaption\nred.png\tred paint\nred.png\ta red wall\n")
    update_library(library, [photos], encoder, captions=captions)
    server = AssistantServer(library, pictures=True, load=lambda model: FakeEncoder())
    yield server
    server.close()


@pytest.fixture
def call(server: AssistantServer) -> Call:
    """Call a tool as an assistant does."""

    def call(tool: str, /, **arguments: Any) -> types.CallToolResult:
        async def ask() -> types.CallToolResult:
            async with Client(server.protocol) as client:
                return await client.call_tool(tool, arguments)

        return asyncio.run(ask())

    return call


def answer(result: types.CallToolResult) -> dict[str, Any]:
    """The JSON of an answer, which older clients read as text and others as data."""
    assert not result.is_error, result.content
    (text,) = result.content
    assert isinstance(text, types.TextContent)
    assert json.loads(text.text) == result.structured_content
    return result.structured_content


def error(result: types.CallToolResult) -> str:
    """The one line of an error."""
    (text,) = result.content
    assert result.is_error and isinstance(text, types.TextContent) and "\n" not in text.text
    return text.text


def names(found: dict[str, Any]) -> list[str]:
    return [Path(hit["path"]).name for hit in found["hits"]]


def tools(server: AssistantServer) -> list[types.Tool]:
    async def ask() -> list[types.Tool]:
        async with Client(server.protocol) as client:
            return (await client.list_tools()).tools

    return asyncio.run(ask())


def test_every_tool_only_reads_and_says_what_it_takes(server: AssistantServer) -> None:
    found = tools(server)
    assert [tool.name for tool in found] == ["search", "similar", "where", "status", "photo"]
    assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in found)
    assert all(tool.description and tool.input_schema["type"] == "object" for tool in found)


def test_pictures_are_shown_only_when_allowed(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    server = AssistantServer(library, load=lambda model: FakeEncoder())
    assert "photo" not in [tool.name for tool in tools(server)]
    server.close()


def test_words_find_photos_with_their_facts(call: Call, photos: Path) -> None:
    found = answer(call("search", query="red", top=2))
    best = found["hits"][0]
    assert (best["path"], best["captions"]) == (str(photos / "red.png"), ["red paint", "a red wall"])
    assert best["date"] and best["date_from"] == "file"
    assert (len(found["hits"]), found["searched"]) == (2, 3)
    assert found["verdict"] == "The best come first; how well they match is not known."  # no calibration


def test_filters_are_those_of_the_command_line(call: Call) -> None:
    assert names(answer(call("search", path=["blue.png"]))) == ["blue.png"]
    assert answer(call("search", query="red", after="2999"))["verdict"] == "No photo passes the filters."
    assert "'soon' is no date" in error(call("search", after="soon"))


def test_near_duplicates_come_with_the_hit(
    call: Call, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "ruby.png", (254, 0, 0))
    update_library(library, [], encoder)
    assert len(answer(call("search", query="red"))["hits"][0]["alike"]) == 1


def test_captions_are_searched_too(call: Call) -> None:
    found = answer(call("search", **{"query": "red paint", "in": "captions"}))
    assert {hit["caption"] for hit in found["hits"]} == {"red paint", "a red wall"}


def test_a_photo_finds_others_but_not_itself(call: Call, photos: Path) -> None:
    found = answer(call("similar", photo=str(photos / "red.png")))
    assert found["photo"] == str(photos / "red.png")
    assert sorted(names(found)) == ["blue.png", "green.png"]


def test_photos_of_one_name_are_told_apart(
    call: Call, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "old" / "red.png", (250, 9, 9))
    update_library(library, [], encoder)
    found = answer(call("similar", photo="red.png"))
    assert (found["photo"], str(photos / "red.png") in found["note"]) == (
        str(photos / "old" / "red.png"),
        True,
    )


def test_only_photos_of_the_library_are_looked_at(call: Call, tmp_path: Path) -> None:
    write_photo(tmp_path / "private.png", "red")
    for tool, more in (("similar", {}), ("where", {"phrases": ["red"]}), ("photo", {})):
        assert "no such photo" in error(call(tool, photo=str(tmp_path / "private.png"), **more))
        assert "not the path of a photo" in error(call(tool, photo="\0", **more))


def test_where_in_a_photo_a_phrase_is(call: Call, library: Path, photos: Path, encoder: FakeEncoder) -> None:
    half = Image.new("RGB", (80, 40), "blue")
    ImageDraw.Draw(half).rectangle((0, 0, 39, 39), fill="red")  # its left half
    half.save(photos / "half.png")
    update_library(library, [], encoder)
    found = answer(call("where", photo="half.png", phrases=["red", "green"]))
    red, green = found["phrases"]
    assert (found["width"], found["height"]) == (80, 40)
    left, top, right, bottom = red["regions"][0]["box"]
    assert (left, top, bottom) == (0, 0, 40) and 30 <= right <= 45  # about the left half
    assert green["regions"] == []
    assert "heat" not in red


def test_a_photo_comes_as_a_small_jpeg(call: Call, library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photo(photos / "wide.png", "red", (2000, 1000))
    update_library(library, [], encoder)
    (picture,) = call("photo", photo="wide.png", side=128).content
    assert isinstance(picture, types.ImageContent) and picture.mime_type == "image/jpeg"
    assert Image.open(io.BytesIO(base64.b64decode(picture.data))).size == (128, 64)
    assert "side" in error(call("photo", photo="wide.png", side=5000))


def test_a_file_that_was_replaced_is_not_shown(call: Call, photos: Path) -> None:
    write_photo(photos / "red.png", "green", (9, 9))
    assert str(photos / "red.png") in error(call("photo", photo="red.png"))


def test_what_others_index_is_found(call: Call, library: Path, photos: Path, encoder: FakeEncoder) -> None:
    assert answer(call("search", query="red"))["searched"] == 3
    write_photo(photos / "rose.png", (160, 0, 90))
    update_library(library, [], encoder)
    assert "rose.png" in names(answer(call("search", query="red")))


def test_the_state_of_the_library(call: Call, library: Path, photos: Path) -> None:
    write_photo(photos / "new.png", "red")
    facts = answer(call("status", scan=True))
    assert (facts["library"], facts["photos"], facts["changes"]["new"]) == (str(library), 3, 1)
    assert answer(call("status"))["changes"] is None


@pytest.mark.parametrize(
    ("tool", "arguments", "line"),
    [
        ("search", {"top": 0}, "top: Input should be greater than or equal to 1"),
        ("search", {"colour": "red"}, "colour: Extra inputs are not permitted"),
        ("search", {"query": "https://example.org/a.jpg"}, "https://example.org/a.jpg: is an address"),
        ("where", {"photo": "red.png", "phrases": [" "]}, "an empty phrase"),
        ("where", {"photo": "red.png"}, "phrases: Field required"),
        ("similar", {}, "photo: Field required"),
        ("delete", {}, "there is no tool 'delete'"),
    ],
)
def test_mistakes_are_answered_in_one_line(
    call: Call, tool: str, arguments: dict[str, Any], line: str
) -> None:
    assert line in error(call(tool, **arguments))


def test_a_defect_is_logged_and_says_nothing_of_itself(
    call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("twobranch.server.mcp.library.verdict_sentence", lambda answer: 1 / 0)
    assert "internal error" in error(call("search", query="red"))
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_in_other_encodings_are_answered(
    call: Call, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / os.fsdecode(b"\xe9t\xe9.png"), (0, 90, 160))
    update_library(library, [], encoder)
    assert "?t?.png" in names(answer(call("search", query="blue")))


def test_the_extra_serve_is_not_needed() -> None:
    code = (
        "import sys\nsys.modules['fastapi'] = sys.modules['python_multipart'] = None\n"
        "import twobranch.server.mcp.run"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
