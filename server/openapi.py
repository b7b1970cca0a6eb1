"""The OpenAPI document: what FastAPI writes, with security, every status and examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.routing import APIRoute

from twobranch.server.http.auth import TokenAuth

Document = dict[str, Any]
# Statuses that requests get before they come to their address, with names for the components.
_EVERYWHERE = {
    400: ("BadRequest", "Not valid HTTP, not one Host header, or a body where none is expected"),
    403: ("OtherSite", "The request was made by a page of another site"),
    414: ("LongUrl", "The URL is too long"),
    421: ("UnknownHost", "The server does not answer to this host name"),
    431: ("LongHead", "The head of the request is too long"),
    500: ("Defect", "A defect; the server's log has the traceback"),
    503: ("Unavailable", "The library cannot be read, or the server is busy or stopping"),
}
_WITH_TOKEN = {
    401: ("NoToken", "The token is missing or wrong"),
    429: ("TooManyAttempts", "Too many wrong tokens from this address"),
}
_WITH_BODY = {
    408: ("SlowBody", "The body came too slowly"),
    413: ("LargeBody", "The body is too large"),
    415: ("WrongMediaType", "The body is of a media type that this address does not take"),
}
_HEADERS = {
    401: {"WWW-Authenticate": {"description": "`Bearer`", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
}
_OPEN = "/healthz"  # needs no token
# Values of fields that have no example of their own, by name.
_VALUES: dict[str, Any] = {
    "path": "/home/ann/Pictures/2023/coffee.jpg",
    "folder": "/home/ann/Pictures/2023",
    "library": "/home/ann/Pictures/.twobranch",
    "name": "coffee.jpg",
    "text": "a cup of coffee on a table",
    "caption": "a cup of coffee on a table",
    "date": "2023-07-04T12:00:00",
    "indexed_at": "2026-01-31T12:00:00Z",
    "started_at": "2026-01-31T12:00:00Z",
    "ended": "2026-01-31T12:00:00Z",
    "ended_at": "2026-01-31T12:01:00Z",
    "created_at": "2026-01-31T12:00:00Z",
    "content": "cc02f8ca188b167c",
    "camera": "Pixel 7",
    "latitude": 48.85,
    "longitude": 2.35,
    "width": 4000,
    "height": 3000,
    "model": "default",
    "split": "dev",
    "reason": "truncated",
    "error": "there is no photo 7; it may have left the library",
    "command": "cli.py eval --recall 1,5,10 --split dev",
    "version": "0.1.0",
}
_TYPES: dict[str, tuple[Any, Any]] = {  # by the name in JSON schema: types in Python, and a value
    "string": (str, "text"),
    "integer": (int, 1),
    "number": ((int, float), 0.5),
    "boolean": (bool, True),
    "object": (dict, {}),
    "array": (list, []),
    "null": (type(None), None),
}
_DEEPEST = 8


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation.

    Generated clients make the names of their functions from it.
    """
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


def complete(document: Document, auth: TokenAuth | None) -> Document:
    """Add to FastAPI's document what it does not know. Changes the document and returns it."""
    components = document["components"]
    components["securitySchemes"] = _schemes(auth)
    # Without a token both ways are there as well, and neither is needed.
    document["security"] = [*([] if auth else [{}]), {"bearer": []}, {"cookie": []}]
    common = {**_EVERYWHERE, **_WITH_BODY, **_WITH_TOKEN}
    components["responses"] = {name: _problem(status, text) for status, (name, text) in common.items()}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(operation, path, needs_token=auth is not None)
            _add_examples(operation, components["schemas"])
    return document


def _schemes(auth: TokenAuth | None) -> Document:
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The token that the server was started with.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "twobranch" if auth is None else auth.cookie,
            "description": "Set by the login of the page. The name depends on the token.",
        },
    }


def _problem(status: int, description: str) -> Document:
    schema = {"$ref": "#/components/schemas/Problem"}
    answer = {"description": description, "content": {"application/json": {"schema": schema}}}
    return answer | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _complete_operation(operation: Document, path: str, needs_token: bool) -> None:
    """Add the statuses of every address. Removes one that this cannot have."""
    has_body = "requestBody" in operation
    common = {**_EVERYWHERE, **(_WITH_BODY if has_body else {})}
    if path == _OPEN:
        operation["security"] = []
    elif needs_token:
        common |= _WITH_TOKEN
    own = operation["responses"]
    if not has_body and not operation.get("parameters"):
        own.pop("422", None)
    for status, (name, _) in common.items():
        own.setdefault(str(status), {"$ref": f"#/components/responses/{name}"})
    operation["responses"] = dict(sorted(own.items()))


def _add_examples(operation: Document, schemas: Mapping[str, Document]) -> None:
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if status.startswith("2") and content and content.get("schema"):
            content.setdefault("example", example(content["schema"], schemas))


def example(schema: Document, schemas: Mapping[str, Document], name: str = "", depth: int = 0) -> Any:
    """Return a value as the schema describes it.

    The schema's own example where it has one, else one made of its parts. ``name``: of the field.
    """
    written = [*schema.get("examples", []), *(schema[key] for key in ("example", "const") if key in schema)]
    if written:
        return _with_nulls(written[0], schema, schemas)
    if "enum" in schema:
        return schema["enum"][0]
    if "$ref" in schema:
        return example(_resolved(schema, schemas), schemas, name, depth + 1) if depth < _DEEPEST else {}
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas, name, depth)
    if "prefixItems" in schema:
        return [example(item, schemas, name, depth) for item in schema["prefixItems"]]
    if "items" in schema:
        return [example(schema["items"], schemas, name.removesuffix("s"), depth)]
    if "properties" in schema:
        return {key: example(part, schemas, key, depth) for key, part in schema["properties"].items()}
    return _simple(schema.get("type", "null"), name)


def _with_nulls(given: Any, schema: Document, schemas: Mapping[str, Document]) -> Any:
    """Return a written example with all its nulls.

    FastAPI leaves them out of its document.
    """
    schema = _resolved(schema, schemas)
    if isinstance(given, list) and "items" in schema:
        return [_with_nulls(item, schema["items"], schemas) for item in given]
    if not isinstance(given, dict) or "properties" not in schema:
        return given
    whole = dict(given)
    for name, part in schema["properties"].items():
        if name in given:
            whole[name] = _with_nulls(given[name], part, schemas)
        else:
            whole[name] = None if {"type": "null"} in part.get("anyOf", ()) else example(part, schemas, name)
    return whole


def _resolved(schema: Document, schemas: Mapping[str, Document]) -> Document:
    """Return the schema itself, without a reference."""
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _simple(type_: str, name: str) -> Any:
    """Return a simple value for a field of this name."""
    value = _VALUES.get(name)
    return value if isinstance(value, _TYPES[type_][0]) else _TYPES[type_][1]
