"""A photo's own file over HTTP: whole or in ranges, never executed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from typing import BinaryIO
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse

from twobranch.indexer.catalog.photo_file import OpenedFile
from twobranch.server.http.etags import matches

_CHUNK = 1 << 18
_HEAD = 16
# Media types that browsers display, by the first bytes of the file.
_BEGINNINGS = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb".{4}ftypavi[fs]", re.DOTALL), "image/avif"),
    (re.compile(rb"BM"), "image/bmp"),
)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# A file that only claims to be a photo must not run as a page of this site.
_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


def original(opened: OpenedFile, name: str, asked: Mapping[str, str]) -> Response:
    """Return an answer that sends an open file and then closes it.

    ``name`` is the file name for the browser, ``asked`` are the request's headers. A request for several
    ranges gets the whole file, as RFC 9110 allows.
    """
    head = opened.file.read(_HEAD)
    kind = next((kind for beginning, kind in _BEGINNINGS if beginning.match(head)), None)
    etag = f'"{opened.mtime_ns:x}-{opened.size:x}"'
    changed = formatdate(opened.mtime_ns // 1_000_000_000, usegmt=True)
    headers = {
        **_HEADERS,
        "ETag": etag,
        "Last-Modified": changed,
        "Cache-Control": "private, no-cache",
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition("inline" if kind else "attachment", name),
    }
    if matches(etag, asked.get("if-none-match")):
        opened.file.close()
        return Response(status_code=304, headers=headers)
    first, last, status = 0, opened.size - 1, 200
    part = _RANGE.fullmatch(asked.get("range", "").strip())
    if part and part[0] != "bytes=-" and asked.get("if-range", etag) in (etag, changed):
        if part[1]:
            first, last = int(part[1]), min(int(part[2] or last), last)
        else:  # a suffix range: the last n bytes
            first = max(0, opened.size - int(part[2]))
        if first > last:
            opened.file.close()
            return Response(status_code=416, headers={**_HEADERS, "Content-Range": f"bytes */{opened.size}"})
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last}/{opened.size}"
    headers["Content-Length"] = str(last - first + 1)
    body = _chunks(opened.file, first, last - first + 1)
    return StreamingResponse(body, status, headers, kind or "application/octet-stream")


async def _chunks(file: BinaryIO, first: int, n: int) -> AsyncIterator[bytes]:
    """Yield ``n`` bytes from offset ``first`` on. Reads in threads, and closes the file."""
    run = asyncio.get_running_loop().run_in_executor
    try:
        await run(None, file.seek, first)
        while n and (chunk := await run(None, file.read, min(n, _CHUNK))):
            n -= len(chunk)
            yield chunk
    finally:
        file.close()


def disposition(what: str, name: str) -> str:
    """Return the Content-Disposition header (RFC 6266).

    It has the name in ASCII for old browsers, and in UTF-8.
    """
    whole = re.sub("[\ud800-\udfff]", "_", name)  # bytes that are not UTF-8
    plain = re.sub(r'[^ -~]|["%\\/]', "_", name)
    return f"{what}; filename=\"{plain}\"; filename*=UTF-8''{quote(whole, safe='')}"
