"""Pictures that are handed in: so many bytes, so many pixels, one after another, and no dead server."""

from __future__ import annotations

import asyncio
import io
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image, PngImagePlugin

from tests.fakes import FakeEncoder
from tests.pictures import jpeg, segment, with_scans, with_segments
from tests.server.serving import Reply, form, receive, request, send, serving
from tests.waiting import PATIENCE, wait_for
from twobranch.embedding.decode_limit import GivenUp, Patience
from twobranch.indexer.update.library import update_library
from twobranch.server.app import create_app
from twobranch.server.http import limits as bodies
from twobranch.server.http import uploads
from twobranch.server.settings import Settings
from twobranch.server.work.uploaded_pictures import Picture, Pictures

MOST = 100_000  # bytes of a picture, here


@pytest.fixture
def port(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[int]:
    update_library(library, [photos], encoder)
    app = create_app(Settings(library, max_upload=MOST), load=lambda model: encoder)
    with serving(app) as port:
        yield port


def image(kind: str, size: tuple[int, int] = (8, 8), mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 255).save(file, kind, **options)
    return file.getvalue()


def hand_in(port: int, data: bytes) -> Reply:
    header, body = form(data)
    return send(port, request("POST", "/api/search?top=1", header, body=body))


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_a_picture(port: int) -> None:
    assert hand_in(port, image("PNG")).json()["picture"]


def test_too_many_bytes_whatever_their_length_is_said_to_be(port: int) -> None:
    header, body = form(bytes(MOST + 70_000))
    unsaid = (
        request("POST", "/api/search", header, "Transfer-Encoding: chunked") + chunked(body) + chunked(b"")
    )
    for data in (request("POST", "/api/search", header, body=body), unsaid):
        reply = send(port, data)
        # 100,000 bytes and 65,536 for what is around them are 165 kB
        assert (reply.status, reply.json()) == (413, {"error": "larger than the limit of 165 kB"})
    kind = "Content-Type: application/json"
    no_form = send(port, request("POST", "/api/evaluations", kind, body=bytes(70_000)))
    assert (no_form.status, no_form.json()["error"]) == (413, "larger than the limit of 65 kB")
    assert no_form.headers["connection"] == "close"


def test_a_body_where_none_belongs(port: int) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert send(port, request(method, "/api/search", body=b"{}")).status == 400
    assert send(port, request("DELETE", "/api/search", body=b"{}")).status == 405
    assert (
        send(port, request("GET", "/api/search", "Transfer-Encoding: chunked") + chunked(b"")).status == 400
    )


def test_forms_that_are_none(port: int) -> None:
    header, body = form(image("PNG"))
    part = body.removesuffix(b"--b--\r\n")
    field = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    cases = [
        (header, form(image("PNG"), name="other")[1], 422),
        (header, part * 2 + b"--b--\r\n", 400),  # two files
        (
            header,
            part + b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 9 + b"--b--\r\n",
            400,
        ),
        (header, field.replace(b'"a"', b'"file"') + b"--b--\r\n", 422),
        (header, b"--b\r\n" + b"a: b\r\n" * 1000 + b"\r\n\r\n--b--\r\n", 400),
        (header, b"nothing of the kind", 400),
        ("Content-Type: multipart/form-data", body, 400),  # of which boundary?
        ("Content-Type: application/json", b"{}", 415),
        ("Content-Type: image/png", image("PNG"), 415),
    ]
    for kind, data, status in cases:
        reply = send(port, request("POST", "/api/search", kind, body=data))
        assert reply.status == status, (kind, data[:100], reply.body)
        assert reply.json()["error"]


def bomb(kind: str, side: int) -> bytes:
    """A small file that says it is a square of so many pixels a side."""
    if kind == "PNG":  # by hand: Pillow would need the pixels
        rows = zlib.compress(bytes(2001) * 100)  # far too few, but who would find out?
        head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
        chunks = [(b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    if kind == "GIF":
        gif = bytearray(image("GIF", mode="L"))
        gif[6:10] = struct.pack("<HH", side, side)
        return bytes(gif)
    if kind == "WEBP":
        webp = bytearray(image("WEBP", lossless=True))
        at = webp.index(b"VP8L") + 9  # 14 bits for the width - 1 and as many for the height - 1
        (bits,) = struct.unpack_from("<I", webp, at)
        struct.pack_into("<I", webp, at, bits >> 28 << 28 | (side - 1) << 14 | (side - 1))
        return bytes(webp)
    if kind == "BMP":
        bmp = bytearray(image("BMP"))
        bmp[18:26] = struct.pack("<ii", side, side)
        return bytes(bmp)
    tiff = image("TIFF")
    for tag in (256, 257):  # ImageWidth, ImageLength: a 32-bit value of 8
        old = struct.pack("<HHII", tag, 4, 1, 8)
        assert old in tiff
        tiff = tiff.replace(old, struct.pack("<HHII", tag, 4, 1, side))
    return tiff


# 144 megapixels, a little more than is decoded, and 256, which Pillow by itself refuses in its own way.
@pytest.mark.parametrize("side", [12_000, 16_000])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_bombs_of_pixels(port: int, kind: str, side: int) -> None:
    reply = hand_in(port, bomb(kind, side))
    assert (reply.status, "megapixels" in reply.json()["error"]) == (413, True)
    assert send(port, request("GET", "/healthz")).status == 200


@pytest.mark.parametrize("chunk", ["iCCP", "iTXt", "zTXt"])
def test_bombs_beside_the_pixels(port: int, chunk: str) -> None:
    """80 MB of zeros in a chunk of 80 kB: the picture is read or refused, without them."""
    zeros = zlib.compress(bytes(80_000_000), 9)
    fields = {"iCCP": b"a\0\0", "iTXt": b"a\0\1\0\0\0", "zTXt": b"a\0\0"}
    info = PngImagePlugin.PngInfo()
    info.add(chunk.encode(), fields[chunk] + zeros)
    data = image("PNG", pnginfo=info)
    assert len(data) < MOST
    reply = hand_in(port, data)
    assert reply.status in (200, 400)
    assert send(port, request("GET", "/healthz")).status == 200


def test_what_is_no_picture(port: int) -> None:
    whole = image("JPEG", (64, 64))
    for data in (b"", b"text", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0", whole[:200]):
        reply = hand_in(port, data)
        assert (reply.status, reply.json()["error"].startswith("the picture: ")) == (400, True), data[:20]


def test_one_picture_is_decoded_at_a_time_and_few_wait(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_TAKEN", 3)
    take, go_on, lock, at_work = Pictures.take, Event(), Lock(), [0, 0]  # now, and at most

    def slow(self: Pictures, data: bytes, encoder: Any, patience: Patience) -> Picture:
        with lock:
            at_work[0] += 1
            at_work[1] = max(at_work)
        assert go_on.wait(PATIENCE)
        with lock:
            at_work[0] -= 1
        return take(self, data, encoder, patience)

    monkeypatch.setattr(Pictures, "take", slow)
    replies: list[Reply] = []
    threads = [Thread(target=lambda: replies.append(hand_in(port, image("PNG")))) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(replies) == 2, "of five the first is at work, two wait, two are refused")
    assert [reply.status for reply in replies] == [503, 503]
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(reply.status for reply in replies) == [200, 200, 200, 503, 503]
    assert at_work == [0, 1]


class Stuck:
    """The decoding of the first picture does not end before it is given up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.given_up = Event(), Event()
        self._take = Pictures.take
        stuck = self

        def take(self: Pictures, data: bytes, encoder: Any, patience: Patience) -> Picture:
            if not stuck.begun.is_set():
                stuck.begun.set()
                latest = monotonic() + 60
                while monotonic() < latest:
                    try:
                        patience.check()
                    except GivenUp:
                        stuck.given_up.set()
                        raise
                    sleep(0.01)
            return stuck._take(self, data, encoder, patience)

        monkeypatch.setattr(Pictures, "take", take)


def wait_until_taken(app: FastAPI, n: int) -> None:
    """Until so many pictures are at work or wait."""
    latest = monotonic() + 60
    while app.state.shared.uploads._n_taken != n:
        assert monotonic() < latest
        sleep(0.01)


def test_a_picture_whose_client_has_left_keeps_nobody(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the next picture, and never those who search for words, even with one thread to search in."""
    update_library(library, [photos], encoder)
    stuck = Stuck(monkeypatch)
    app = create_app(Settings(library, threads=1), load=lambda model: encoder)
    header, body = form(image("PNG"))
    with serving(app) as port:
        with socket.create_connection(("127.0.0.1", port), 60) as first:
            first.sendall(request("POST", "/api/search", header, body=body))
            assert stuck.begun.wait(60)
            assert send(port, request("GET", "/api/search?q=red")).status == 200
            with socket.create_connection(("127.0.0.1", port), 60) as waiting:
                waiting.sendall(request("POST", "/api/search", header, body=body))
                wait_until_taken(app, 2)
            wait_until_taken(app, 1)  # it has left before its turn
            assert not stuck.given_up.is_set()
        assert stuck.given_up.wait(60)
        assert hand_in(port, image("PNG")).status == 200
    left = sum(n for (_, _, status), n in app.state.stats.requests.items() if status == 499)
    assert left == 2


def test_a_picture_that_takes_too_long(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_SECONDS", 0.2)
    stuck = Stuck(monkeypatch)
    reply = hand_in(port, image("PNG"))
    assert (reply.status, reply.json()) == (422, {"error": "the picture takes more than 0 s to decode"})
    assert stuck.given_up.is_set()
    monkeypatch.setattr(uploads, "_SECONDS", 60)
    assert hand_in(port, image("PNG")).status == 200


def test_a_server_that_ends_does_not_wait_for_a_picture(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_library(library, [photos], encoder)
    stuck = Stuck(monkeypatch)
    app = create_app(Settings(library), load=lambda model: encoder)
    header, body = form(image("PNG"))
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(request("POST", "/api/search", header, body=body))
        assert stuck.begun.wait(60)
    assert stuck.given_up.is_set()


def test_a_picture_that_is_made_to_take_long_is_refused(port: int) -> None:
    comments = with_segments(jpeg(), *[segment(0xFE, b"")] * 3000)
    for data, reason in ((with_scans(100, side=8), "scans"), (comments, "segments")):
        assert len(data) < MOST
        reply = hand_in(port, data)
        assert (reply.status, reason in reply.json()["error"]) == (400, True)


def test_a_body_that_comes_too_slowly(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_GRACE", 0.2)
    monkeypatch.setattr(bodies, "_LINGER", 0.1)
    header, _ = form(b"")
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(request("POST", "/api/search", header, "Content-Length: 1000") + b"--b")
        assert receive(connection).status == 408
        assert connection.recv(1) == b""  # and the connection is closed


def test_a_body_that_breaks_off(port: int) -> None:
    header, _ = form(b"")
    broken = request("POST", "/api/search", header, "Content-Length: 1000") + b"--b"
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(broken)
    assert hand_in(port, image("PNG")).status == 200


def test_a_body_may_take_as_long_as_it_brings_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 s, and one more for every 20,000 bytes."""
    now, waited = 0.0, []
    monkeypatch.setattr(bodies, "monotonic", lambda: now)

    async def wait_for(part: Any, seconds: float) -> Any:
        waited.append(seconds)
        return await part

    monkeypatch.setattr(bodies.asyncio, "wait_for", wait_for)

    async def more() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(40_000), "more_body": True}

    async def read() -> None:
        nonlocal now
        body = bodies._Body(more, 10**6)
        await body.receive()  # at 0: until 20
        now = 15.0
        await body.receive()  # 40,000 bytes have come: until 22

    asyncio.run(read())
    assert waited == [20.0, 7.0]
