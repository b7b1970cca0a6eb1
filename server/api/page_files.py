"""The files of the page, at addresses that change with their content."""

from __future__ import annotations

import gzip
import hashlib
import json
import mimetypes
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send

from twobranch.server.errors import problem
from twobranch.server.http.compression import LEAST_BYTES, accepts_gzip, is_compressible
from twobranch.server.http.etags import matches

PAGE = Path(__file__).parent.parent / "page"
_ROUTES = frozenset({"/healthz", "/metrics", "/login", "/logout"})
# Where these lie says what they are for: their folder is the scope of the installed page.
WORKER, MANIFEST = "sw.js", "manifest.webmanifest"
_AT_ROOT = frozenset({WORKER, MANIFEST})
_REFERENCE = re.compile(rb'(?<=\s)(href|src)="([^":?#]+)"')
_VERSIONED = re.compile(r"/?static-([0-9a-f]+)/(.*)", re.DOTALL)
_FOREVER = "public, max-age=31536000, immutable"  # public: the program's own files have nothing private
_TYPES = {".js": "text/javascript", ".css": "text/css", ".webmanifest": "application/manifest+json"}


@dataclass(frozen=True)
class PageFile:
    """A file of the page."""

    data: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:32]

    @cached_property
    def gzipped(self) -> bytes | None:
        """The content compressed as far as gzip can, or None.

        None where that gains nothing.
        """
        if len(self.data) < LEAST_BYTES or not is_compressible(self.media_type):
            return None
        return gzip.compress(self.data, 9, mtime=0)


class Page:
    """All files of the page, read once.

    A version is a hash of them all. HTML names scripts and styles below ``static-VERSION/``, and what they
    name themselves is relative to that. So a page never has files of two versions, also while the program is
    being replaced on disk, and browsers keep the files for a year.
    """

    def __init__(self, folder: Path = PAGE) -> None:
        files = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        self.version = _hash_of(files)
        self._files = {name: PageFile(data, _media_type(name)) for name, data in files.items()}
        for name, data in files.items():
            if name.endswith(".html"):
                self._files[name] = PageFile(self._with_addresses(data), "text/html")
            elif name == WORKER:
                self._files[name] = PageFile(self._described() + data, _media_type(name))

    def address(self, name: str) -> str:
        """Return the address of a file, relative to that of the page."""
        return f"static-{self.version}/{name}"

    def file(self, path: str) -> tuple[PageFile, bool] | None:
        """Return the file at this path, or None.

        With it comes True if the address has a version. None also for addresses of other versions.
        """
        versioned = _VERSIONED.fullmatch(path)
        name = (versioned[2] if versioned else path.removeprefix("/")) or "index.html"
        file = self._files.get(name)
        if file is None or (versioned and (versioned[1] != self.version or name.endswith(".html"))):
            return None
        return file, versioned is not None

    def _described(self) -> bytes:
        """Return a line of JavaScript with the page's version and files.

        The service worker begins with it.
        """
        pages = ["" if name == "index.html" else name for name in self._files if name.endswith(".html")]
        files = [self.address(name) for name in self._files if _is_shell(name)]
        page = json.dumps({"version": self.version, "pages": pages, "files": files})
        return f"const PAGE = {page};\n".encode()

    def _with_addresses(self, html: bytes) -> bytes:
        """Replace the addresses of the page's files by those of this version."""

        def replaced(match: re.Match[bytes]) -> bytes:
            name = match[2].decode()
            if name not in self._files or name in _AT_ROOT or name.endswith(".html"):
                return match[0]
            return b'%s="%s"' % (match[1], self.address(name).encode())

        return _REFERENCE.sub(replaced, html)


def without_version(path: str) -> str:
    """Return the path of a page's file without the version in it."""
    versioned = _VERSIONED.fullmatch(path)
    return f"/{versioned[2]}" if versioned else path


class PageFiles(Mount):
    """The files of the page at ``/``.

    It does not match addresses of the API, so that a wrong address or method there gets its own error.
    """

    def __init__(self, page: Page) -> None:
        super().__init__("/", self._answer, name="page")
        self._page = page

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"]
        if path in _ROUTES or path == "/api" or path.startswith("/api/"):
            return Match.NONE, {}
        if scope["method"] not in ("GET", "HEAD"):
            return Match.PARTIAL, {}
        match, child = super().matches(scope)
        return match, {**child, "route": self}  # as FastAPI's routes do

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        found = self._page.file(scope["path"])
        answer = _not_here() if found is None else _reply(Request(scope), *found)
        await answer(scope, receive, send)


def _reply(request: Request, file: PageFile, forever: bool) -> Response:
    gzipped = file.gzipped if accepts_gzip(request.headers.get("accept-encoding", "")) else None
    etag = f'"{file.etag}"' if gzipped is None else f'"{file.etag}-gzip"'
    headers = {"ETag": etag, "Cache-Control": _FOREVER if forever else "no-cache"}
    if file.gzipped is not None:
        headers["Vary"] = "Accept-Encoding"
    if gzipped is not None:
        headers["Content-Encoding"] = "gzip"
    if matches(etag, request.headers.get("if-none-match")):
        headers.pop("Content-Encoding", None)
        return Response(status_code=304, headers=headers)
    return Response(file.data if gzipped is None else gzipped, headers=headers, media_type=file.media_type)


def _is_shell(name: str) -> bool:
    """Return True for a script or style that pages need to open."""
    return name.endswith((".js", ".css")) and name != WORKER


def _not_here() -> Response:
    answer = problem(404, "there is nothing at this address")
    answer.headers["cache-control"] = "no-store"  # the next version may have it
    return answer


def _hash_of(files: dict[str, bytes]) -> str:
    names_and_hashes = [[name, hashlib.sha256(data).hexdigest()] for name, data in files.items()]
    return hashlib.sha256(json.dumps(names_and_hashes).encode()).hexdigest()[:12]


def _media_type(name: str) -> str:
    """Return the media type by the suffix.

    The system's table, which may be wrong, is not asked for those that matter.
    """
    known = _TYPES.get(Path(name).suffix)
    return known or mimetypes.guess_type(name)[0] or "application/octet-stream"
