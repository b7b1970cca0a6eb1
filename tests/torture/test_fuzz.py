"""Requests that nobody means well: the server answers each, never with what is not in the catalogue.

Written here rather than with hypothesis or schemathesis: what matters goes over a socket as bytes that no
HTTP library would send, by the thousand, and again with the same seed.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from fastapi import FastAPI
from PIL import Image

from tests.fakes import FakeEncoder, write_photo
from tests.server.serving import Reply, form, request, send, serving
from tests.torture.conftest import Rounds
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.http.headers import HEADERS
from twobranch.server.settings import Settings

CANARY = b"a canary that no answer may hold"
HOSTILE = [
    "",
    " ",
    "\0",
    "red\0green",
    "\ud800",
    "\u202egnp.exe",
    "\ufeff",
    "e\u0301" * 50,
    "-1",
    "0",
    "1",
    "2",
    "4",
    "9" * 400,
    str(2**63),
    str(2**63 - 1),
    "-9223372036854775809",
    "1e308",
    "-1e309",
    "1e-400",
    "NaN",
    "Infinity",
    "0x10",
    "1_000",
    "١٢",
    "true",
    "null",
    "[]",
    "{}",
    "../../../../etc/passwd",
    "..%2f..%2fcanary.txt",
    "..\\..\\canary.txt",
    "file:///etc/passwd",
    "/dev/zero",
    "canary.txt",
    "' OR 1=1 --",
    "'; DROP TABLE images; --",
    '" OR words MATCH "a"*',
    "a* NEAR/2 b",
    "%s%n%x%d",
    "{0.__class__.__mro__}",
    "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>",
    "\r\nSet-Cookie: a=b",
    "red " * 2000,
    "a" * 5000,
    "+ - + - 2: 3:",
    "1e999:red",
    "nan:red",
    "-inf:red + blue",
    "[" * 500,
    "*" * 300,
    "[!a-",
    "?" * 100,
    "(" * 200,
    "0000-00-00",
    "9999-12-31T23:59:60",
    "-0001",
    "2023-02-30",
    "91,181",
    "nan,nan",
    "1e308,1e308",
    "1e308km",
    "-5km",
    "99999999x99999999",
    "1e400MP",
]
TEMPLATES = {"size": ["320", "640", "1600"], "v": ["abc"], "q": ["red", "red + blue - green", "2:red"]}


@dataclass(frozen=True)
class Served:
    """A server, and what its description says."""

    port: int
    operations: list[tuple[str, str, dict[str, Any]]]  # method, path, operation
    secret: tuple[bytes, ...]  # what no answer may hold

    def check(self, reply: Reply, target: str, what: object) -> None:
        """What holds of every answer."""
        assert reply.status < 500, (reply.status, reply.body[:300], what)
        for secret in self.secret:
            assert secret not in reply.body, what
        if reply.status == 0:
            return
        for name, value in HEADERS.items():
            assert reply.headers[name.decode()] is not None, (name, what)
            assert value, name
        may_be_picture = target.split("?")[0].endswith(("/thumbnail", "/original"))
        if target.startswith("/api/") and not (may_be_picture and reply.status in (200, 206, 304)):
            if reply.body:
                json.loads(reply.body)
                assert reply.headers["content-type"] == "application/json", what
        elif may_be_picture and reply.status in (200, 206):
            assert reply.headers["content-type"].startswith(("image/", "multipart/byteranges")), what

    def check_alive(self) -> None:
        assert send(self.port, request("GET", "/healthz")).status == 200


@pytest.fixture
def served(library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path) -> Iterator[Served]:
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\tcaption\tsplit\nred.png\ta red thing\tdev\nblue.png\tblue\tdev\n")
    write_photo(photos / "<img src=x onerror=alert(1)>\n\u202e.png", (250, 10, 0))
    update_library(library, [photos], encoder, captions=captions)
    for folder in (photos, tmp_path, library):
        (folder / "canary.txt").write_bytes(CANARY)
        (folder / "canary.jpg").write_bytes(CANARY)
    app = create_app(Settings(library), load=lambda model: encoder)
    with serving(app) as port:
        secret = (CANARY, b"Traceback", b"site-packages", str(Path(__file__).parents[2] / "server").encode())
        yield Served(port, operations(app), secret)


def operations(app: FastAPI) -> list[tuple[str, str, dict[str, Any]]]:
    """What the description of the API names, but for what starts a process each time."""
    return [
        (method.upper(), path, operation)
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if (method, path) != ("post", "/api/index")
    ]


def value(random: Random, name: str, schema: dict[str, Any]) -> str:
    """For a parameter: mostly what it should not be."""
    if random.random() < 0.4:
        options = [schema, *schema.get("anyOf", []), schema.get("items", {})]
        fitting = [str(one) for option in options for one in option.get("enum", ())]
        fitting += TEMPLATES.get(name, [])
        if any(option.get("type") == "integer" for option in options):
            fitting += [str(random.randint(-2, 6))]
        if fitting:
            return random.choice(fitting)
    text = random.choice(HOSTILE)
    return text if random.random() < 0.8 else text + random.choice(HOSTILE)


def encoded(random: Random, text: str) -> str:
    if random.random() < 0.05:
        return quote_from_bytes(random.randbytes(random.randint(1, 40)))
    return quote(text.encode("utf-8", "surrogatepass"), safe=random.choice(["", "/:,+*"]))


def test_every_route_with_every_parameter(
    served: Served, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    for _ in range(rounds(short=1500, long=200_000)):
        method, path, operation = random.choice(served.operations)
        if random.random() < 0.3:
            method, path, operation = random.choice([one for one in served.operations if "search" in one[1]])
        target, query, body, headers = path, [], b"", []
        parameters = operation.get("parameters", [])
        few = min(random.choice([0, 1, 1, 2, 3, 20]), len(parameters))  # one that is wrong hides the others
        for parameter in random.sample(parameters, few) + [one for one in parameters if one["in"] == "path"]:
            text = value(random, parameter["name"], parameter.get("schema", {}))
            if parameter["in"] == "path":
                target = target.replace(f"{{{parameter['name']}}}", encoded(random, text) or "-")
            else:
                n = 5000 if random.random() < 0.001 else random.choice([1, 1, 1, 2, 3])
                query += [f"{parameter['name']}={encoded(random, text)}"] * n
        if random.random() < 0.05:
            query.append(f"{encoded(random, random.choice(HOSTILE))}=1")
        if query:
            target += "?" + "&".join(query)
        if random.random() < 0.3:
            headers.append(random_header(random))
        if "requestBody" in operation:
            kind, body = random_body(random, operation["requestBody"]["content"])
            headers.append(kind)
        if random.random() < 0.05:
            method = random.choice(
                ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "GET", "POST", "TRACE", "PURGE"]
            )
            if (method, path) == ("POST", "/api/index"):
                continue
        data = request(method, target, *headers, body=body)
        served.check(send(served.port, data), target, data[:2000])
        tally["hostile requests to routes"] += 1
    served.check_alive()


NAMES = [
    *[
        "Range",
        "If-None-Match",
        "If-Range",
        "If-Modified-Since",
        "Accept",
        "Cookie",
        "Authorization",
        "Origin",
    ],
    *["X-Forwarded-For", "X-Forwarded-Proto", "Content-Encoding", "Expect", "Upgrade", "Referer", "Te"],
    *["Sec-Fetch-Site", "Connection", "Host"],
]
VALUES = [
    "bytes=0-",
    "bytes=5-2",
    "bytes=-99999999999999999999",
    "bytes=0-0,1-1,2-2",
    "bytes=" + "0-,0-" * 500,
    "bytes=" + "9" * 5000 + "-",
    "*",
    '"',
    'W/"a", "b',
    "100-continue",
    "websocket",
    "Upgrade",
    "cross-site",
    "same-origin",
    "null",
    "http://127.0.0.1",
    "https://evil.example",
    "Bearer x",
    "a=b;" * 99,
]


def random_header(random: Random) -> str:
    letters = bytes(random.choices([*range(0x20, 0x7F), *range(0x80, 0x100)], k=30)).decode("latin-1")
    return f"{random.choice(NAMES)}: {random.choice([*VALUES, letters])}"


BODIES = [
    "{}",
    "[]",
    "null",
    "NaN",
    "{",
    '"\\u0000"',
    '{"recall": [1e308]}',
    '{"recall": [NaN]}',
    '{"recall": [' + "9" * 5000 + "]}",
    '{"recall": [1, 5], "split": "dev"}',
    '{"split": "\\ud800"}',
    '{"folder": 0}',
    "[" * 10_000,
]


def random_body(random: Random, content: dict[str, Any]) -> tuple[str, bytes]:
    """A body that may be of the kind that is wanted, and its Content-Type."""
    if "multipart/form-data" in content and random.random() < 0.7:
        name = random.choice(
            ["file", "file", "file", "File", "", random.choice(HOSTILE)[:50].replace('"', "")]
        )
        header, body = form(damaged(random, picture(random)), name.replace("\r\n", ""))
        return header, damaged(random, body) if random.random() < 0.2 else body
    text = random.choice([*BODIES, json.dumps({"split": random.choice(HOSTILE), "recall": [1]})])
    kind = random.choice(["application/json", "application/json; charset=utf-7", "text/plain", "a/b", ""])
    return f"Content-Type: {kind}", damaged(random, text.encode("utf-8", "surrogatepass"))


def picture(random: Random) -> bytes:
    file = io.BytesIO()
    mode = random.choice(["RGB", "L", "P", "RGBA", "1"])
    kind = random.choice(["PNG", "GIF", "TIFF", "WEBP", "BMP", "JPEG"])
    image = Image.new("RGB" if kind == "JPEG" else mode, (random.randint(1, 40), random.randint(1, 40)))
    image.save(file, kind)
    return file.getvalue()


def damaged(random: Random, data: bytes) -> bytes:
    """With some bytes changed, left out or put in; one in four as it was."""
    damage = bytearray(data)
    for _ in range(random.choice([0, 1, 2, 8])):
        at = random.randint(0, len(damage))
        what = random.randrange(3)
        if what == 0:
            damage[at : at + 1] = random.randbytes(1)
        elif what == 1:
            damage[at : at + random.choice([1, 4, 100])] = b""
        else:
            damage[at:at] = random.choice([b"\0", b"\xff" * 4, b"\r\n", random.randbytes(8)])
    return bytes(damage)


def test_bytes_that_are_hardly_http(
    served: Served, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    chunked = "Transfer-Encoding: chunked"
    header, body = form(picture(random))
    whole = [
        request("GET", "/api/search?q=red"),
        request("POST", "/api/search", header, body=body),
        request("POST", "/api/search", header, chunked) + b"5\r\n--b\r\n\r\n0\r\nHost: b\r\n\r\n",
        request("POST", "/api/search", header, chunked) + b"f" * 20 + b"\r\n",
        request("POST", "/api/search", header, chunked, body=body),  # two lengths: smuggling
        request("GET", "/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
        request("GET", "http://evil.example/"),
        request("CONNECT", "127.0.0.1:1"),
        request("OPTIONS", "*"),
        request("GET", "/%2e%2e/%2e%2e/canary.txt"),
        request("GET", "/../photos/canary.txt"),
        request("GET", "//127.0.0.1/canary.txt"),
        request("GET", "/js/..%5c..%5ccanary.txt%00.png"),
        request("GET", "/", "Content-Length: -1"),
        request("GET", "/", "Content-Length: 1", "Content-Length: 2"),
        request("GET", "/", *(f"a{n}: b" for n in range(200))),
        request("GET", "/" + "a" * 70_000),
        request("GET", "/", "a: " + "b" * 70_000),
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a browser that expects TLS
    ]
    for n in range(rounds(short=300, long=60_000)):
        data = whole[n] if n < len(whole) else random.choice(whole)
        if n >= len(whole):
            data = damaged(random, data)
            if random.random() < 0.2:
                data += random.choice(whole)
        if random.random() < 0.05:
            data = random.randbytes(random.randint(1, 3000))
        served.check(send(served.port, data, end=True), "", data[:2000])
        tally["requests that are hardly HTTP"] += 1
    served.check_alive()
