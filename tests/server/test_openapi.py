"""The OpenAPI document: valid, true of every answer, and good enough to make a client from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from tests.fakes import Bilingual
from tests.indexwith import fake
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.settings import Settings

TOKEN = "a-token-for-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True)
class Call:
    """A request to an address of the document, with the status that it gets."""

    method: str
    path: str
    status: int = 200
    at: dict[str, Any] = field(default_factory=dict)  # parts of the path
    given: dict[str, Any] = field(default_factory=dict)  # for httpx
    headers: dict[str, str] = field(default_factory=lambda: dict(BEARER))


RED = {"params": {"q": "red"}}
PHOTO = {"photo": 1}
ONE = {"album": 1, "search": 1}  # which the fixture makes
PNG = base64.b64decode(  # one red pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
# Every operation once at least. A new address needs a line here.
CALLS = [
    Call("get", "/api/search", given=RED),
    Call("get", "/api/search", given={"params": {"in": "captions", "q": "red"}}),
    Call("get", "/api/search", given={"params": {"like": 1, "box": "0,0,8,8", "unlike": 2}}),
    Call("get", "/api/search", 400, given={"params": {"after": "soon"}}),
    Call("get", "/api/search", 400, given={"content": b"x"}),
    Call("get", "/api/search", 401, headers={}),
    Call("get", "/api/search", 403, headers={"Sec-Fetch-Site": "cross-site"}),
    Call("get", "/api/search", 404, given={"params": {"picture": "0" * 32}}),
    Call("get", "/api/search", 421, headers={"Host": "evil.example"}),
    Call("get", "/api/search", 422, given={"params": {"top": 0}}),
    Call("post", "/api/search", given={"files": {"file": ("a.png", PNG)}}),
    Call("post", "/api/search", 415, given={"content": PNG}),
    Call("post", "/api/search", 415, given={"json": {}}),
    Call("post", "/api/search", 413, given={"files": {"file": ("a.png", b"x" * 400_000)}}),
    Call("get", "/api/pictures/{name}/thumbnail", 404, {"name": "none"}),
    Call("get", "/api/photos/{photo}", at=PHOTO),
    Call("get", "/api/photos/{photo}", 404, {"photo": 99}),
    Call("get", "/api/photos/{photo}/thumbnail", at=PHOTO),
    Call("get", "/api/photos/{photo}/original", at=PHOTO),
    Call("get", "/api/photos/{photo}/original", 206, PHOTO, headers={**BEARER, "Range": "bytes=0-9"}),
    Call("get", "/api/photos/{photo}/original", 416, PHOTO, headers={**BEARER, "Range": "bytes=99999-"}),
    Call("get", "/api/photos/{photo}/where", at=PHOTO, given=RED),
    Call("get", "/api/photos/{photo}/where", at=PHOTO, given={"params": {"q": "red", "format": "webp"}}),
    Call("get", "/api/photos/{photo}/part", at=PHOTO, given={"params": {"box": "0,0,8,8"}}),
    Call("get", "/api/captions"),
    Call("get", "/api/captions", given={"params": {"photo": 1}}),
    Call("get", "/api/facets"),
    Call("get", "/api/status", given={"params": {"scan": 1}}),
    Call("get", "/api/models"),
    Call("post", "/api/evaluations", given={"json": {"recall": [1]}}),
    Call(
        "post",
        "/api/evaluations",
        415,
        given={"content": "recall=1", "headers": {"Content-Type": "text/plain"}},
    ),
    Call("get", "/api/evaluations"),
    Call("get", "/api/explorer/splits"),
    Call("get", "/api/explorer"),
    Call("get", "/api/explorer/confidence"),
    Call("get", "/api/explorer/{direction}/{id}", at={"direction": "text_to_image", "id": 1}),
    Call("get", "/api/explorer/{direction}/{id}", 404, {"direction": "image_to_text", "id": 99}),
    Call("post", "/api/index", 404, given={"json": {"folder": 9}}),
    Call("post", "/api/index", 415, given={"content": b'{"folder": 9}'}),
    Call("post", "/api/index", 422, given={"json": {"folder": "x"}}),
    Call("post", "/api/index", 202),
    Call("get", "/api/index"),
    Call("delete", "/api/index"),
    Call("post", "/api/index", 403, given={"json": {"path": "/"}}),
    Call("get", "/api/folders"),
    Call("get", "/api/folders", 400, given={"params": {"path": "photos"}}),
    Call("get", "/api/folders", 403, given={"params": {"path": "/"}}),
    Call("post", "/api/photos", 201, given={"files": {"file": ("a.png", PNG)}}),
    Call("post", "/api/photos", 200, given={"files": {"file": ("a.txt", b"words")}}),
    Call("post", "/api/photos", 415, given={"json": {"photos": [1]}}),
    Call("post", "/api/photos", 422, given={"files": {"picture": ("a.png", PNG)}}),
    Call("get", "/api/suggest"),
    Call("get", "/api/suggest", given={"params": {"q": "re"}}),
    Call("get", "/api/timeline"),
    Call("get", "/api/photos"),
    Call("get", "/api/photos", given={"params": {"id": [1, 2]}}),
    Call("patch", "/api/photos", given={"json": {"photos": [1], "rating": 4}}),
    Call("post", "/api/photos", 415, given={"json": {}}),
    Call("get", "/api/albums"),
    Call("post", "/api/albums", 201, given={"json": {"name": "garden"}}),
    Call("patch", "/api/albums/{album}", at=ONE, given={"json": {"name": "garden"}}),
    Call("delete", "/api/albums/{album}", 204, ONE),
    Call("delete", "/api/albums/{album}", 404, {"album": 99}),
    Call("post", "/api/albums/{album}/photos", at=ONE, given={"json": {"photos": [2]}}),
    Call("delete", "/api/albums/{album}/photos", at=ONE, given={"json": {"photos": [1]}}),
    Call("get", "/api/searches"),
    Call("post", "/api/searches", 201, given={"json": {"name": "blue", "query": "q=blue"}}),
    Call("patch", "/api/searches/{search}", at=ONE, given={"json": {"name": "blue"}}),
    Call("delete", "/api/searches/{search}", 204, ONE),
    Call("post", "/api/download", given={"json": {"photos": [1]}}),
    Call("get", "/api/map"),
    Call("get", "/healthz", headers={}),
    Call("get", "/metrics"),
    Call("get", "/metrics", 401, headers={"Authorization": "Bearer wrong"}),
]


@pytest.fixture
def app(library: Path, photos: Path, tmp_path: Path) -> Any:
    """A server with a token over three photos, two of them with captions, and a model with cells."""
    captions = tmp_path / "captions.csv"
    captions.write_text("image,caption,split\nred.png,something red,dev\nblue.png,something blue,dev\n")
    encoder = Bilingual()
    update_library(library, [photos], encoder, captions=captions)
    settings = Settings(library, token=TOKEN, max_upload=300_000, choose_from=(photos.parent,), adding=True)
    return create_app(settings, lambda model: encoder, fake)


@pytest.fixture
def client(app: Any) -> Iterator[TestClient]:
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client:
        for what, given in (
            ("albums", {"name": "trip", "photos": [1]}),
            ("searches", {"name": "red", "query": "q=red"}),
        ):
            assert client.post(f"/api/{what}", json=given, headers=BEARER).status_code == 201
        yield client


@pytest.fixture
def document(client: TestClient) -> Any:
    return client.get("/api/openapi.json", headers=BEARER).json()


def validate(value: Any, schema: dict[str, Any], document: dict[str, Any], *, strict: bool = True) -> None:
    """Raise ``jsonschema.ValidationError`` where the value is not as the schema says.

    ``strict``: a key that the schema does not name is an error too.
    """
    components = json.loads(json.dumps(document["components"]))
    if strict:
        for described in components["schemas"].values():
            if "properties" in described:
                described.setdefault("additionalProperties", False)
    jsonschema.Draft202012Validator({**schema, "components": components}).validate(value)


def answer_of(document: dict[str, Any], call: Call) -> dict[str, Any]:
    """The description of the answer to a call."""
    described = document["paths"][call.path][call.method]["responses"]
    assert str(call.status) in described, f"{call.method} {call.path} may answer {call.status}"
    answer: dict[str, Any] = described[str(call.status)]
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return answer


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    from openapi_spec_validator import validate as validate_document

    validate_document(document)


def test_it_says_who_may_ask(document: dict[str, Any], app: Any, library: Path) -> None:
    assert document["security"] == [{"bearer": []}, {"cookie": []}]
    schemes = document["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["cookie"]["name"]) == ("bearer", app.state.auth.cookie)
    assert document["paths"]["/healthz"]["get"]["security"] == []
    assert {"401", "429"} <= document["paths"]["/api/search"]["get"]["responses"].keys()
    without = create_app(Settings(library)).openapi()
    assert without["security"] == [{}, {"bearer": []}, {"cookie": []}]
    assert "401" not in without["paths"]["/api/search"]["get"]["responses"]


def test_every_address_is_called_here(document: dict[str, Any]) -> None:
    described = {(method, path) for path, item in document["paths"].items() for method in item}
    assert described == {(call.method, call.path) for call in CALLS}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path} {call.status}")
def test_answers_are_as_described(client: TestClient, document: dict[str, Any], call: Call) -> None:
    headers = {**call.headers, **call.given.get("headers", {})}
    given = {name: value for name, value in call.given.items() if name != "headers"}
    response = client.request(call.method, call.path.format(**call.at), headers=headers, **given)
    assert response.status_code == call.status, response.text
    described = answer_of(document, call).get("content", {})
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type != "application/json":
        kinds = {kind.partition("/*")[0] for kind in described}
        assert call.status in (204, 206, 416) or media_type in kinds or media_type.partition("/")[0] in kinds
        return
    validate(response.json(), described["application/json"]["schema"], document)


def test_statuses_in_the_document_are_those_there_can_be(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            has_body, has_parameters = "requestBody" in operation, bool(operation.get("parameters"))
            statuses = operation["responses"].keys()
            assert {"400", "403", "421", "500", "503"} <= statuses, (method, path)
            assert ({"408", "413", "415"} <= statuses) == has_body, (method, path)
            assert ("422" in statuses) == (has_body or has_parameters), (method, path)


def test_every_answer_has_an_example_that_is_one(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                if status.startswith("2") and content is not None:
                    assert content["example"], (method, path)
                    validate(content["example"], content["schema"], document)
