"""HTTP as uvicorn and httptools speak it, with an end to whatever a client may draw out.

uvicorn waits without limit for a request's head, for a client that does not read its answer, and for the rest
of a body that nobody wants any more; and httptools collects heads of any length.
"""

from __future__ import annotations

import json
from asyncio import TimerHandle, Transport
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from twobranch.server.http.headers import HEADERS

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_CONNECTIONS = 500  # at the same time; many systems allow a process 1,024 files
_HEAD = 65_536  # bytes of a request's line and headers together
_URL = 32_768  # bytes; a search of 2,000 characters takes 24 kB where each needs four bytes of UTF-8
_N_HEADERS = 100
_HEAD_SECONDS = 20.0  # from the connection, or the last answer, to the end of the next request's head
_STALLED_SECONDS = 30.0  # in which a client takes nothing of its answer


class Protocol(HttpToolsProtocol):
    """One connection."""

    _timer: TimerHandle | None = None
    _stalled: TimerHandle | None = None
    _n_unread = 0  # bytes that came for a head that is not complete
    _n_head = 0  # bytes of the head's fields
    _is_head = True  # whether a head is awaited
    _refusal: tuple[int, str] | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        self._unanswered: deque[RequestResponseCycle] = deque()
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > _CONNECTIONS:
            self._refuse(503, "too many connections; try again")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(self._timer)
        self._stop(self._stalled)
        # uvicorn tells the latest request only: one before it would write on, and end in a traceback.
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._n_unread += len(data)
        super().data_received(data)
        if self._is_head and self._n_unread > _HEAD and not self.transport.is_closing():
            self._refuse(431, "the head of the request is too long")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_head, self._n_head = True, 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > _URL:
            self._give_up(414, "the URL is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_head:  # a trailer, after the body: nothing here reads one
            return
        super().on_header(name, value)
        self._n_head += len(name) + len(value)
        if self._n_head > _HEAD or len(self.headers) > _N_HEADERS:
            self._give_up(431, "the request has too many headers, or too long ones")

    def on_headers_complete(self) -> None:
        self._is_head, self._n_unread = False, 0
        self._stop(self._timer)
        super().on_headers_complete()
        self._forget_answered()
        self._unanswered.append(self.cycle)

    def on_response_complete(self) -> None:
        self._forget_answered()
        super().on_response_complete()
        if self.cycle.response_complete:  # else another request is at work already
            self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(_STALLED_SECONDS, self._abort)

    def resume_writing(self) -> None:
        self._stop(self._stalled)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """The answer to what is no HTTP, or more of it than is taken."""
        self._refuse(*(self._refusal or (400, "this is not HTTP as the server understands it")))

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: whoever asks for WebSockets gets an answer without."""

    def _forget_answered(self) -> None:
        while self._unanswered and self._unanswered[0].response_complete:  # they are answered in order
            self._unanswered.popleft()

    def _await_head(self) -> None:
        self._is_head, self._n_unread = True, 0
        self._stop(self._timer)
        self._timer = self.loop.call_later(_HEAD_SECONDS, self._abort)

    def _give_up(self, status: int, error: str) -> None:
        """Ends parsing; uvicorn then asks for the answer with ``send_400_response``."""
        self._refusal = (status, error)
        raise ValueError(error)

    def _refuse(self, status: int, error: str) -> None:
        body = json.dumps({"error": error}).encode()
        head = [
            b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode()),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
            *(b"%s: %s" % pair for pair in HEADERS.items()),
        ]
        self.transport.write(b"\r\n".join([*head, b"", body]))
        self.transport.close()

    def _abort(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    @staticmethod
    def _stop(timer: TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
