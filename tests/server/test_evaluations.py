"""The library's status, models and evaluations over HTTP are those of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from twobranch import __version__
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.status import library_status
from twobranch.retrieval.evaluation.evaluate import evaluate, history, history_json
from twobranch.server.api.evaluations import Evaluations, NewEvaluation
from twobranch.server.api.status import LibraryStatus, Models
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


@pytest.fixture
def indexed(library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder) -> Path:
    """red, green and blue, the first two with a caption in dev."""
    captions = tmp_path / "captions.csv"
    captions.write_text(
        "image,caption,split\nred.png,red,dev\ngreen.png,a green thing,dev\nblue.png,red,test\n"
    )
    (photos / "broken.png").write_bytes(b"not a picture")
    update_library(library, [photos], encoder, captions=captions)
    return library


@pytest.fixture
def client(indexed: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    settings = Settings(indexed, folders=(photos,))
    with TestClient(create_app(settings, load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def get(client: TestClient, path: str, model: type[BaseModel], **parameters: Any) -> dict[str, Any]:
    """The answer, which is as the OpenAPI description says."""
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert model.model_validate(answer).model_dump(mode="json", by_alias=True) == answer
    return answer


def test_status_is_that_of_the_command_and_scans_only_when_asked(
    client: TestClient, indexed: Path, photos: Path
) -> None:
    write_photo(photos / "new.png", "white")
    answer = get(client, "/api/status", LibraryStatus)
    ours = {"version": __version__, "folders_to_index": [str(photos)], "has_cells": True}
    ours |= {"choosing": False, "adding": False}
    assert answer == {**library_status(indexed, scan=False), **ours}
    assert (answer["photos"], answer["searchable_photos"], answer["changes"]) == (4, 3, None)
    assert [Path(failed["path"]).name for failed in answer["failed"]] == ["broken.png"]
    changes = get(client, "/api/status", LibraryStatus, scan=1)["changes"]
    assert changes == {"new": 1, "changed": 0, "gone": 0, "caption_files": 0, "unreachable": 0}


def test_the_status_of_a_name_that_is_not_utf_8(
    client: TestClient, indexed: Path, photos: Path, encoder: FakeEncoder
) -> None:
    (photos / "caf\udce9.png").write_bytes(b"not a picture")
    update_library(indexed, [photos], encoder)
    names = [Path(failed["path"]).name for failed in get(client, "/api/status", LibraryStatus)["failed"]]
    assert names == ["broken.png", "caf?.png"]


def test_models(client: TestClient) -> None:
    answer = get(client, "/api/models", Models)
    names = [model["name"] for model in answer["models"]]
    assert names == ["default", "fake"]
    shipped, fake = answer["models"]
    assert (shipped["dim"], shipped["backbone"]) == (512, "efficientnet-lite2")
    assert set(fake.values()) == {"fake", None}  # its folder is gone: there is but the name


def test_evaluations_are_listed_as_eval_history_lists_them(client: TestClient, indexed: Path) -> None:
    assert get(client, "/api/evaluations", Evaluations) == {"evaluations": []}
    catalog = Catalog.open(indexed)
    result = evaluate(catalog, ks=[1, 2], split=None, command="cli.py eval").as_json()
    low, high = result["text_to_image"]["ci95"]["R@1"]
    assert low < high  # the caption of blue.png says "red"
    (row,) = get(client, "/api/evaluations", Evaluations)["evaluations"]
    assert row == history_json(history(catalog)[0])
    # What was stored is what was printed, intervals and all.
    assert {name: row[name] for name in result} == result
    assert (row["id"], row["command"]) == (1, "cli.py eval")


def test_an_evaluation_is_run_and_stored_as_eval_does(client: TestClient, indexed: Path) -> None:
    response = client.post("/api/evaluations", json={"split": "dev", "recall": [10, 1, 1]})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert NewEvaluation.model_validate(answer).model_dump(mode="json") == answer
    # "red" and "a green thing" find their photos first, and they them.
    assert [answer[way]["R@1"] for way in ("text_to_image", "image_to_text")] == [100, 100]
    assert (answer["rsum"], answer["n_captions"], answer["warnings"]) == (600, 2, [])
    (row,) = get(client, "/api/evaluations", Evaluations)["evaluations"]
    assert row["command"] == "cli.py eval --recall 1,10 --split dev"
    assert {name: row[name] for name in answer if name != "warnings"} == {
        name: answer[name] for name in answer if name != "warnings"
    }


def test_one_evaluation_at_a_time(client: TestClient) -> None:
    evaluating = client.app.state.shared.evaluating  # type: ignore[attr-defined]
    with evaluating:
        response = client.post("/api/evaluations", json={})
    assert (response.status_code, "running already" in response.json()["error"]) == (409, True)
    assert client.post("/api/evaluations", json={}).status_code == 200  # the next one may
    assert client.post("/api/evaluations", json={"split": "nope"}).status_code == 400
    assert client.post("/api/evaluations", json={}).status_code == 200  # also after one that failed


@pytest.mark.parametrize("asked", [{"recall": [0]}, {"recall": []}, {"recall": [1, "x"]}, {"nonsense": 1}])
def test_what_cannot_be_evaluated(client: TestClient, asked: dict[str, Any]) -> None:
    response = client.post("/api/evaluations", json=asked)
    assert response.status_code == 422
    assert next(iter(asked)) in response.json()["error"]


def test_an_evaluation_that_cannot_be_stored_says_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:

    real = Catalog.session

    @contextmanager
    def session(self: Catalog, *, write: bool = False) -> Iterator[Any]:
        if write:
            raise LibraryError("another process is writing")
        with real(self) as opened:
            yield opened

    monkeypatch.setattr(Catalog, "session", session)
    answer = client.post("/api/evaluations", json={"split": "dev"}).json()
    assert answer["warnings"] == ["the evaluation is not stored: another process is writing"]
    assert answer["rsum"] == 600
