"""One request and its answer as ASGI has them (version 3.0), on the connection that both share.

An answer's head goes out with the first piece of its body: two sends would cost the server as much as all the
rest, and sessions share a processor with it. This module must not know how requests are read, nor what an
application does.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

import trio
from starlette.types import ASGIApp, Message, Scope

from .requests import Request
from .stream import ClientStream

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_BODY: Final = {204, 304}


class Exchange:
    """A request that is being answered.

    Args:
        request: what is answered; more of its body may be on the way.
        stream: where the answer goes.
        read: waits until more of the request has come, False where nothing does any more.
        last: whether no other request of this connection will be answered, as far as is known when the
            answer begins.
    """

    def __init__(
        self,
        request: Request,
        stream: ClientStream,
        read: Callable[[], Awaitable[bool]],
        last: Callable[[], bool],
    ) -> None:
        self._request = request
        self._stream = stream
        self._read = read
        self._last = last
        self._asked_for_body = False
        self._handed_over = False
        self._head: Message | None = None
        self._chunked = False
        self._left: int | None = None
        self._gone = False
        self.begun = False
        """Whether an answer has begun."""
        self._finished = False
        self._keep_alive = request.keep_alive

    async def run(self, app: ASGIApp) -> bool:
        """Have the request answered; True where the connection can be used for another one."""
        await app(self._scope(), self._receive, self._send)
        if not self.begun and not self._gone:
            await self._stream.send(error_answer(500))
        whole = self._finished and not self._left
        if whole and not self._keep_alive:
            await self._stream.end()
        return whole and self._keep_alive and self._request.complete and not self._gone

    def _scope(self) -> Scope:
        request = self._request
        path, _, query = request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": request.version,
            "method": request.method,
            "scheme": "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": request.headers,
            "client": None,
            "server": None,
            "state": {"hang_up": self._stream.close},
        }

    # --- the request --------------------------------------------------------------------------------

    async def _receive(self) -> Message:
        request = self._request
        if not (request.complete or self._asked_for_body or self.begun) and request.expects_continue:
            await self._stream.send(_CONTINUE)
        self._asked_for_body = True
        while self._handed_over or not (request.body or request.complete):
            if not await self._read():
                self._gone = True
                return {"type": "http.disconnect"}
        body = b"".join(request.body)
        request.body.clear()
        self._handed_over = request.complete
        return {"type": "http.request", "body": body, "more_body": not request.complete}

    # --- the answer ---------------------------------------------------------------------------------

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        data = self._begin(len(body), more=more) + self._piece(body, more=more)
        self._finished = not more
        if self._gone or not await self._stream.send(data):
            # It is no error of the application's that nobody listens: it is told when it asks for more.
            self._gone = True
            await trio.lowlevel.checkpoint()

    def _begin(self, length: int, *, more: bool) -> bytes:
        """The head, where it has not been sent yet."""
        if self._head is None:
            return b""
        status, headers, self._head = self._head["status"], self._head.get("headers", ()), None
        self.begun = True
        # What the client has not sent of its body would be taken for its next request.
        self._keep_alive = self._keep_alive and self._request.complete and not self._last()
        return head(status, [*headers, *self._framing(status, headers, length, more=more)])

    def _framing(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], length: int, *, more: bool
    ) -> Iterable[tuple[bytes, bytes]]:
        """The headers that say where the body ends, and with it the answer (RFC 9112, section 6)."""
        given = dict(headers)
        if self._request.method == "HEAD" or status in _NO_BODY:
            self._left = 0
        elif b"content-length" in given:
            self._left = int(given[b"content-length"])
        elif not more:
            self._left = length
            yield b"content-length", b"%d" % length
        elif self._request.version == "1.1":
            self._chunked = True
            yield b"transfer-encoding", b"chunked"
        else:
            self._keep_alive = False  # only the end of the connection tells where the body ends
        if not self._keep_alive or given.get(b"connection") == b"close":
            self._keep_alive = False
            yield from () if b"connection" in given else ((b"connection", b"close"),)

    def _piece(self, body: bytes, *, more: bool) -> bytes:
        if self._chunked:
            end = b"" if more else b"0\r\n\r\n"
            return (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + end
        if self._left is None:
            return body
        piece = body[: self._left]
        self._left -= len(piece)
        return piece


def head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of an answer, with the date."""
    lines = [b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b""))]
    lines += [b"%b: %b" % pair for pair in headers]
    return b"\r\n".join([*lines, b"date: %b" % _date(int(time.time())), b"", b""])


def error_answer(status: int) -> bytes:
    """An answer without a body, behind which the connection is closed."""
    return head(status, [(b"connection", b"close"), (b"content-length", b"0")])


@lru_cache(1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
