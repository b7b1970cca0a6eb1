"""HTTP connections of uvicorn and httptools with limits on time and size.

uvicorn waits without limit for a request's head, for a client that does not read its answer, and for the rest
of a body that will not be read; httptools collects heads of any length.

``Protocol`` subclasses ``HttpToolsProtocol`` and overrides its methods. That class is private to uvicorn: any
release may change it. So setup.cfg gives uvicorn an upper bound. Before raising it, compare the overridden
methods with those of the new release and run tests/server/test_protocol.py.
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

_CONNECTIONS = 500  # at the same time; many systems limit a process to 1,024 open files
_HEAD = 65_536  # bytes of the request line and the headers together
_URL = 32_768  # bytes; a query of 2,000 characters of four UTF-8 bytes each takes 24 kB when escaped
_N_HEADERS = 100
_HEAD_SECONDS = 20.0  # from the connection, or the last answer, to the end of the next head
_STALLED_SECONDS = 30.0  # during which the client reads nothing of its answer


class Protocol(HttpToolsProtocol):
    """One HTTP connection, with limits. Overrides methods of a private class of uvicorn."""

    _timer: TimerHandle | None = None
    _stalled: TimerHandle | None = None
    _n_unread = 0  # bytes received of a head that is not complete
    _n_head = 0  # bytes of header names and values
    _is_head = True  # True while the head is awaited
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
        # uvicorn notifies only the latest request. An earlier one would go on writing and end in a traceback.
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
        if not self._is_head:  # a trailer after the body; trailers are ignored
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
        if self.cycle.response_complete:  # otherwise the next request is already being answered
            self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(_STALLED_SECONDS, self._abort)

    def resume_writing(self) -> None:
        self._stop(self._stalled)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is malformed or exceeds a limit."""
        self._refuse(*(self._refusal or (400, "this is not a valid HTTP request")))

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a request for WebSockets is answered over plain HTTP."""

    def _forget_answered(self) -> None:
        while self._unanswered and self._unanswered[0].response_complete:  # requests are answered in order
            self._unanswered.popleft()

    def _await_head(self) -> None:
        self._is_head, self._n_unread = True, 0
        self._stop(self._timer)
        self._timer = self.loop.call_later(_HEAD_SECONDS, self._abort)

    def _give_up(self, status: int, error: str) -> None:
        """Stop parsing. uvicorn then calls ``send_400_response`` for the answer.

        Raises ``ValueError`` to that end.
        """
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
