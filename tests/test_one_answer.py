"""The command line and the HTTP API give the same answer to the same request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.calibrations import calibrated
from tests.fakes import FakeEncoder, write_photos
from twobranch.commands import register
from twobranch.commands.shared import app
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

ONLY_OF_THE_API = {"picture", "part", "phrases", "next"}  # a picture is handed in over HTTP alone
DIFFERS = {"took_ms"}
WORDS = ("red", "green", "blue", "2:red", "motorcylce", "garden", "qwzx", "2019", "last", "year", "january")


@dataclass(frozen=True)
class Both:
    """The command line in this process and the API, over one library."""

    library: Path
    client: TestClient

    def by_command(self, arguments: list[str]) -> dict[str, Any] | str:
        """The JSON of ``search``, or the line that says why there is none."""
        result = CliRunner().invoke(
            app, ["--library", str(self.library), "search", "--json", "--exact", *arguments]
        )
        if result.exit_code:
            assert result.exit_code == 1, (arguments, result.output, result.exception)
            return result.stderr.splitlines()[-1].removeprefix("error: ")
        return json.loads(result.stdout)

    def by_http(self, parameters: dict[str, Any]) -> dict[str, Any] | str:
        """The JSON of ``/api/search``, or the error."""
        reply = self.client.get("/api/search", params=parameters)
        return reply.json() if reply.status_code == 200 else reply.json()["error"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    photos = {"red.png": "red", "rose.png": (255, 1, 0), "sub/green.png": (0, 255, 0), "sub/blue.jpg": "blue"}
    write_photos(folder / "photos", {**photos, "violet garden.png": (200, 0, 255)})
    captions = folder / "captions.tsv"
    captions.write_text("image\tcaption\nred.png\ta red motorcycle\nblue.jpg\tblue\ngreen.png\tgreen\n")
    encoder = FakeEncoder()
    encoder.folder = folder / "model"
    encoder.folder.mkdir()
    calibrated().save(encoder.folder)
    library = folder / ".twobranch"
    update_library(library, [folder / "photos"], encoder, captions=captions)
    register("search")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twobranch.retrieval.engine.load_encoder", lambda model: encoder)
        application = create_app(Settings(library), load=lambda model: encoder)
        with TestClient(application, "http://127.0.0.1") as client:
            yield Both(library, client)


@dataclass(frozen=True)
class Asked:
    """A request in both languages."""

    arguments: list[str]
    parameters: dict[str, Any]


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)
    query = draw(words)
    for sign in draw(st.lists(st.sampled_from("+-"), max_size=2)):
        query += [sign, *draw(words)]
    arguments, parameters = [" ".join(query)], {"q": " ".join(query)}
    for option, name, values in (
        ("--top", "top", st.integers(1, 6)),
        ("--in", "in", st.sampled_from(["images", "captions"])),
        ("--path", "path", st.sampled_from(["sub/**", "*.png", "nowhere"])),
        ("--not-path", "not_path", st.sampled_from(["sub", "red*"])),
        ("--format", "format", st.sampled_from(["png", "jpg"])),
        ("--after", "after", st.sampled_from(["2001", "2999", "soon"])),
        ("--min-size", "min_size", st.sampled_from(["1x1", "2MP"])),
        ("--within", "within", st.just("2km")),
        ("--sort", "sort", st.sampled_from(["relevance", "date"])),
        ("--min-confidence", "min_confidence", st.sampled_from([0.0, 0.5, 1.0])),
    ):
        value = draw(st.one_of(st.none(), values))
        if value is not None:
            arguments += [option, str(value)]
            parameters[name] = value
    parameters["top"] = parameters.get("top", 10)  # a page shows more than a terminal
    for option, (name, value) in {
        "--portrait": ("shape", "portrait"),
        "--square": ("shape", "square"),
        "--no-fold": ("fold", False),
        "--visual-only": ("ranking", "visual"),
        "--no-dates": ("dates", False),
    }.items():
        if name not in parameters and draw(st.booleans()):
            arguments.append(option)
            parameters[name] = value
    return Asked(arguments, parameters)


def same(both: Both, request: Asked) -> dict[str, Any] | str:
    """The answer that both give."""
    command, http = both.by_command(request.arguments), both.by_http(request.parameters)
    if isinstance(command, dict) and isinstance(http, dict):
        assert http.keys() - command.keys() == ONLY_OF_THE_API
        for answer in (command, http):
            for key in ONLY_OF_THE_API | DIFFERS:
                answer.pop(key, None)
    assert command == http, request
    return http


@settings(max_examples=60, deadline=None)
@given(request=asked())
def test_the_same_request_has_the_same_answer(both: Both, request: Asked) -> None:
    same(both, request)


def test_an_answer_says_what_became_of_the_query(both: Both) -> None:
    answer = same(both, Asked(["a red motorcylce qwzx"], {"q": "a red motorcylce qwzx"}))
    assert isinstance(answer, dict)
    assert answer["query"] == "a red motorcycle qwzx"
    assert answer["corrections"] == [{"word": "motorcylce", "known": ["motorcycle"], "used": True}]
    assert "qwzx" in answer["unknown_words"]


def test_filters_alone_list_the_newest(both: Both) -> None:
    answer = same(both, Asked(["--path", "sub/**"], {"path": "sub/**"}))
    assert isinstance(answer, dict)
    assert [hit["score"] for hit in answer["hits"]] == [None, None]


def test_what_no_filter_lets_through_is_no_bad_match(both: Both) -> None:
    nothing = same(both, Asked(["red", "--path", "nowhere"], {"q": "red", "path": "nowhere"}))
    weak = same(both, Asked(["red", "--path", "sub", "--min-confidence", "0.9"],
                            {"q": "red", "path": "sub", "min_confidence": 0.9}))  # fmt: skip
    assert isinstance(nothing, dict) and isinstance(weak, dict)
    assert (nothing["hits"], nothing["matches_well"]) == ([], None)
    assert (weak["hits"], weak["matches_well"]) == ([], False)


def test_feedback_has_the_same_answer_by_rank_and_by_photo(both: Both) -> None:
    first = both.by_command(["blue"])
    assert isinstance(first, dict)
    liked, disliked = (first["hits"][rank - 1]["photo"] for rank in (2, 1))
    parameters = {"q": "blue", "like": liked, "unlike": disliked, "top": 10}
    same(both, Asked(["--like", "2", "--unlike", "1"], parameters))


def test_only_the_command_refuses_words_where_they_cannot_rank(both: Both) -> None:
    """The API ranks such a query by its pixels: a page keeps its choice for the next sentence."""
    refused = both.by_command(["red", "--in", "captions", "--words-only"])
    assert refused == "--words-only finds photos by a sentence; leave it out here"
    ranked = both.by_http({"q": "red", "in": "captions", "ranking": "words"})
    assert isinstance(ranked, dict) and ranked["hits"]
